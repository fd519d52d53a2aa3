import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { type BillingEvent, verifyEvent } from '../../billing/events.js'
import { collection } from '../../db/collection.js'
import { unlessTaken } from '../../db/upsert.js'
import { AppError } from '../../errors.js'
import { DAY_MS } from '../durations.js'
import { REQUEST_LIFE_MS } from '../request-life.js'
import { readCustomer } from './subscription-readings.js'

/** That an event of Stripe's arrived, and what became of it. Nothing of what it says. */
export const StripeEvent = z.object({
  /** Stripe's id of the event: the same for each time that it is delivered. */
  _id: z.string(),
  type: z.string(),
  state: z.enum(['processing', 'done']),
  /** Which delivery is at it, and when that one counts as lost. */
  claimId: z.instanceof(ObjectId),
  claimedUntil: z.date(),
  receivedAt: z.date(),
  expiresAt: z.date(),
})
export type StripeEvent = z.infer<typeof StripeEvent>

export const stripeEvents = collection<StripeEvent>({
  name: 'stripeevents',
  schema: StripeEvent,
  indexes: [{ name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 }],
})

/** Stripe itself keeps events for 30 days: after that none comes again. */
const KEPT_MS = 30 * DAY_MS

/** After which of Stripe's events the subscription of a customer may be another one. Every other is none of ours. */
const NEWS = new Set([
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'customer.deleted',
  'customer.subscription.created',
  'customer.subscription.updated',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.resumed',
  'invoice.paid',
  'invoice.payment_failed',
  'invoice.payment_action_required',
  'invoice.marked_uncollectible',
  'invoice.voided',
])

/** What a webhook has to know of its request. */
interface WebhookRequest {
  now: Date
  logFailure(failure: unknown): void
}

/**
 * Takes an event from Stripe, which sends each at least once, in any order, until it is told that it was taken. Of
 * one event that comes several times one delivery does the work. One that is lost in the middle is made up for by
 * the next.
 *
 * @param body as it came, byte for byte.
 * @throws {AppError} `invalid_request` for what Stripe did not sign, `conflict` while another delivery is at the
 *   event, `unavailable` while Stripe or the database is away: all but the first are to be sent again.
 */
export async function receiveStripeEvent(
  body: Uint8Array,
  signature: string | undefined,
  { now, logFailure }: WebhookRequest,
): Promise<void> {
  const event = await verifyEvent(body, signature, now)
  if (!NEWS.has(event.type) || event.customerId === undefined) return
  const claimId = await claim(event, now)
  if (!claimId) return
  const events = await stripeEvents.open()
  try {
    await takeNotice(event, event.customerId, now, logFailure)
    await events.updateOne({ _id: event.id }, { $set: { state: 'done' } })
  } catch (error) {
    // The next delivery need not wait for the claim to end. Where this fails too, it does.
    await events.deleteOne({ _id: event.id, claimId, state: 'processing' }).catch(() => {})
    throw error
  }
}

/**
 * Makes an event this delivery's, and undefined where it was dealt with before.
 *
 * @throws {AppError} `conflict` while it is another delivery's.
 */
async function claim({ id, type }: BillingEvent, now: Date): Promise<ObjectId | undefined> {
  const events = await stripeEvents.open()
  const claimed = { claimId: new ObjectId(), claimedUntil: new Date(now.getTime() + REQUEST_LIFE_MS) }
  const expiresAt = new Date(now.getTime() + KEPT_MS)
  const received = { _id: id, type, state: 'processing', ...claimed, receivedAt: now, expiresAt } as const
  if (await unlessTaken(() => events.insertOne(received))) return claimed.claimId
  const lost = { _id: id, state: 'processing', claimedUntil: { $lte: now } } as const
  const { matchedCount } = await events.updateOne(lost, { $set: claimed })
  if (matchedCount === 1) return claimed.claimId
  if (await events.findOne({ _id: id, state: 'done' })) return undefined
  throw new AppError('conflict', 'Another delivery of this event is being dealt with.')
}

async function takeNotice(
  { id, type }: BillingEvent,
  customerId: string,
  now: Date,
  logFailure: (failure: unknown) => void,
): Promise<void> {
  const { unknownTo, remarks } = await readCustomer(customerId, now)
  // What is over matters to nobody: an account that was erased is told of here too.
  if (unknownTo === 'us' && !type.endsWith('.deleted'))
    logFailure(new Error(`${type} ${id}: nobody here is ${customerId}.`))
  for (const remark of remarks) logFailure(new Error(`${type} ${id}: ${remark}`))
}
