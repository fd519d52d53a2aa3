import { z } from 'zod'
import { collection } from '../../db/collection.js'

/** One run that brought data from the old file store: the batch that a rollback undoes. */
export const Migration = z.object({
  /** Counts up from 1. What a run wrote carries it as `migration`. */
  _id: z.number().int().positive(),
  /** `running` until everything is stored, linked and counted, however often it was interrupted. */
  state: z.enum(['running', 'done', 'rolling-back']),
  /** The process that works on it. */
  holder: z.object({ host: z.string(), pid: z.number().int() }).optional(),
  /** The directory it was read from. */
  source: z.string(),
  startedAt: z.date(),
  finishedAt: z.date().optional(),
  /** How many documents it brought, by collection. */
  counts: z.record(z.string(), z.number().int()).optional(),
})
export type Migration = z.infer<typeof Migration>

export const migrations = collection<Migration>({ name: 'migrations', schema: Migration, indexes: [] })
