import { REQUEST_LIFE_MS } from '../request-life.js'
import { type Metering, meterCall } from '../usage/usage-metering.js'
import { BATCH, workOff } from '../work-off.js'
import { type Conversation, conversations } from './conversations.js'
import { meteredCallOf } from './metered-calls.js'

/**
 * Meters a call as it is now. One that is over carries `meteringPending` from the write that moved it until its
 * document says what it was metered as, so that a crash in between leaves nothing unmetered; while a call goes on,
 * its next post meters it.
 *
 * @param background where work goes that may follow the answer.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function meterConversation(
  call: Conversation,
  now: Date,
  background?: (task: Promise<unknown>) => void,
): Promise<void> {
  const isOver = call.status !== 'processing'
  if (isOver && !call.meteringPending) return
  const metering = await meterCall(meteredCallOf(call), now, background)
  if (isOver) await settle(call, metering)
}

/**
 * Meters what crashes left, 500 calls at a time. Returns how many.
 *
 * @param shouldStop whether to end before the next one.
 */
export async function meterPendingCalls(now: Date, shouldStop: () => boolean = () => false): Promise<number> {
  return workOff(
    () => unmetered(now),
    call => meterConversation(call, now),
    shouldStop,
  )
}

async function unmetered(now: Date): Promise<Conversation[]> {
  return (await conversations.open())
    .find({ meteringPending: true, updatedAt: { $lt: new Date(now.getTime() - REQUEST_LIFE_MS) } })
    .sort({ updatedAt: 1 })
    .limit(BATCH)
    .toArray()
}

/** Unless the call has moved since: then it is for who moved it to say, and a lower metering covers no higher one. */
async function settle({ _id, userId, status, duration }: Conversation, metered: Metering): Promise<void> {
  await (await conversations.open()).updateOne(
    { _id, userId, status, duration: duration ?? null },
    { $set: { metered }, $unset: { meteringPending: '' } },
  )
}
