import { ObjectId } from 'mongodb'
import { closeDatabase } from '../../../lib/db/client.js'
import { userProfiles } from '../../../lib/domain/accounts/user-profiles.js'
import { assignPhoneNumber } from '../../../lib/domain/phones/phone-assignments.js'
import { phoneNumbers } from '../../../lib/domain/phones/phone-numbers.js'
import { AppError } from '../../../lib/errors.js'

/** Lets users ask for any free number at the same time. Returns the code that each was refused with, or its number. */
export async function assignNumbers(userIds: readonly string[]): Promise<string[]> {
  const asked = userIds.map(id => assignPhoneNumber(new ObjectId(id), undefined, new Date()))
  const outcomes = await Promise.allSettled(asked)
  return outcomes.map(outcome => {
    if (outcome.status === 'fulfilled') return outcome.value
    if (outcome.reason instanceof AppError) return outcome.reason.code
    throw outcome.reason
  })
}

// Started with a channel to its parent, this file is that process. It is ready when it has connected, so that two
// of them ask at the same time.
if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  process.on('message', async (userIds: string[]) => {
    process.send?.(await assignNumbers(userIds))
    await closeDatabase()
    process.disconnect()
  })
  await Promise.all([phoneNumbers.ensureIndexes(), userProfiles.ensureIndexes()])
  process.send('ready')
}
