import type { Db } from 'mongodb'

/** What every case of the suite is: an act on a fresh database, and the answer MongoDB gives to it. */
export interface ConformanceCase {
  name: string
  /** Acts through the driver on a database of its own; what it returns is compared as relaxed extended JSON. */
  run(db: Db): Promise<unknown>
  /** MongoDB's documented answer, in relaxed extended JSON; the order of the keys counts. */
  expected: unknown
  /** Why DocumentDB, the engine that stands in for mongod, answers otherwise: there the case is not held against it. */
  referenceFault?: string
  /** The case is about what the embedded database refuses or promises and MongoDB does not. */
  embeddedOnly?: true
}

/** What a builder of cases may pass on to the case it makes. */
export type Marks = Pick<ConformanceCase, 'referenceFault' | 'embeddedOnly'>

/** The cases of one subject. */
export interface Subject {
  subject: string
  cases: ConformanceCase[]
}
