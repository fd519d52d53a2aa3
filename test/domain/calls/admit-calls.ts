import { closeDatabase } from '../../../lib/db/client.js'
import { translateDatabaseError } from '../../../lib/db/errors.js'
import { type Admission, admitCall } from '../../../lib/domain/calls/admission.js'
import { usagePeriods } from '../../../lib/domain/usage/usage-periods.js'
import { AppError } from '../../../lib/errors.js'

/** What a process of its own is told to do: an admission for each session. */
export interface AdmissionOrder {
  userId: string
  sessions: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * Asks for every call at the same time. Returns the sessions that were admitted. More of them than the client has
 * connections: who waited for one too long is told to come back, and does.
 */
export async function admitCalls({ userId, sessions, now }: AdmissionOrder): Promise<string[]> {
  const admit = (sessionId: string): Promise<Admission> =>
    admitCall({}, { userId, sessionId }, new Date(now)).catch(error => {
      const translated = translateDatabaseError(error)
      if (translated instanceof AppError && translated.code === 'unavailable') return admit(sessionId)
      throw error
    })
  const answers = await Promise.all(sessions.map(admit))
  return sessions.filter((_, i) => answers[i]?.allowed)
}

// Started with a channel to its parent, this file is that process. It is ready when it has connected, so that all of
// them ask at the same time.
if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  process.on('message', async (orders: AdmissionOrder[]) => {
    process.send?.(await Promise.all(orders.map(admitCalls)))
  })
  process.on('disconnect', () => closeDatabase())
  await (await usagePeriods.open()).findOne()
  process.send('ready')
}
