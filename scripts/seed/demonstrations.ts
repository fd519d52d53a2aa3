import { z } from 'zod'
import { collection } from '../../lib/db/collection.js'

/** That a demonstration is, or is being, made. Its content follows from these two: an interrupted one goes on. */
export const Demonstration = z.object({
  /** The seed. */
  _id: z.number().int(),
  /** What its dates are relative to. */
  madeAt: z.date(),
  days: z.number().int(),
  state: z.enum(['making', 'made', 'removing']),
})
export type Demonstration = z.infer<typeof Demonstration>

export const demonstrations = collection<Demonstration>({
  name: 'demonstrations',
  schema: Demonstration,
  indexes: [],
})
