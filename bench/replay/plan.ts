import type { Db, Document } from 'mongodb'
import { senderOf } from './driver-commands.js'
import type { RecordedCommand, Recording, RequestValues } from './recording.js'
import { type Build, freshValues, templateOf } from './template.js'

/** One command of a plan. */
interface Step {
  name: string
  collection: string
  build: Build
  /** The steps that had always ended before this one started. */
  after: readonly number[]
  /** Whether the answer had always waited for it. */
  beforeReply: boolean
}

/** The commands that a request of one kind needs, in the order that its server sends them. */
export type Plan = readonly Step[]

/**
 * Learns a plan from recordings of like requests. Commands that were ever under way together are replayed
 * side by side; what did not hold back the answer does not hold it back here.
 *
 * @throws {Error} where the recordings are not of the same commands.
 */
export function planOf(recordings: readonly Recording[]): Plan {
  const [first = [], ...others] = recordings.map(({ commands }) => keyed(commands))
  return first.map(([key, { name, collection }], index) => {
    const samples = [first, ...others].map(commands => sampleOf(commands, key, first.length))
    const after = first.flatMap(([otherKey], other) =>
      other !== index &&
      [first, ...others].every(
        (commands, i) => sampleOf(commands, otherKey, first.length).ended < (samples[i]?.started ?? 0),
      )
        ? [other]
        : [],
    )
    const origins = recordings.map(({ request }, i) => {
      const commands = [first, ...others][i] ?? []
      return {
        request,
        results: after.map(other => sampleOf(commands, first[other]?.[0] ?? '', first.length).result),
      }
    })
    const build = templateOf(
      samples.map(sample => sample.command),
      origins,
    )
    const beforeReply = recordings.every(({ replied }, i) => (samples[i]?.ended ?? 0) < replied)
    return { name, collection, build, after, beforeReply }
  })
}

/** The plan in a line: `‖` between what goes side by side, `→` where it waits, `⇢` after the answer. */
export function describePlan(plan: Plan): string {
  const depth = (step: Step): number =>
    Math.max(-1, ...step.after.map(i => (plan[i] ? depth(plan[i]) : -1))) + 1
  const stages: string[][] = []
  for (const step of plan) {
    const stage = depth(step)
    stages[stage] = [
      ...(stages[stage] ?? []),
      `${step.beforeReply ? '' : '⇢ '}${step.collection}.${step.name}`,
    ]
  }
  return stages.map(stage => stage.join(' ‖ ')).join(' → ')
}

/** The commands of a plan by collection and name, in alphabetical order. */
export function operationsOf(plan: Plan): string[] {
  return plan.map(({ collection, name }) => `${collection}.${name}`).sort()
}

/** What was found or written before the answer, and the end of everything. */
export interface Replayed {
  results: unknown[]
  finished: Promise<unknown>
}

/** Sends the commands of a plan for one request. */
export async function replay(plan: Plan, db: Db, request: RequestValues): Promise<Replayed> {
  const fresh = freshValues()
  const sent: Promise<unknown>[] = []
  for (const { name, collection, build, after } of plan) {
    const send = (results: unknown[]) =>
      senderOf(name)(db.collection(collection), build({ request, results, fresh }) as Document)
    const awaited = after.flatMap(i => sent[i] ?? [])
    sent.push(awaited.length === 0 ? send([]) : Promise.all(awaited).then(send))
  }
  const finished = Promise.all(sent)
  const results = await Promise.all(sent.filter((_, i) => plan[i]?.beforeReply))
  return { results, finished }
}

type Keyed = readonly (readonly [key: string, command: RecordedCommand])[]

/** Commands by a name that is the same in every recording, whichever of two that go together starts first. */
function keyed(commands: readonly RecordedCommand[]): Keyed {
  const seen = new Map<string, number>()
  return commands.map(command => {
    const kind = `${command.collection}.${command.name}`
    const occurrence = (seen.get(kind) ?? 0) + 1
    seen.set(kind, occurrence)
    return [`${kind} ${occurrence}`, command] as const
  })
}

function sampleOf(commands: Keyed, key: string, expected: number): RecordedCommand {
  const found = commands.find(([candidate]) => candidate === key)
  if (found === undefined || commands.length !== expected)
    throw new Error(`like requests do not send like commands: ${commands.map(([name]) => name).join(', ')}`)
  return found[1]
}
