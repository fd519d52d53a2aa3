import { type Document, ObjectId } from 'mongodb'
import { believedTime, type ConversationInput } from './conversation-input.js'
import type { NewTurn } from './conversation-turns.js'
import type { Conversation } from './conversations.js'

/** A call as its first post makes it. */
export function newCall(
  input: ConversationInput,
  turn: NewTurn | undefined,
  userId: ObjectId,
  now: Date,
): Conversation {
  const { sessionId, callSid, phoneNumber, to, status } = input
  const duration = wholeSeconds(input)
  const at = believedTime(input, now)
  const said = turn && saidLast(turn)
  return {
    _id: new ObjectId(),
    userId,
    sessionId,
    ...(callSid !== undefined && { callSid }),
    ...(phoneNumber !== undefined && { phoneNumber }),
    ...(to !== undefined && { calledNumber: to }),
    status,
    startedAt: startBy(input, now),
    ...(status !== 'processing' && { endedAt: at ?? now, meteringPending: true as const }),
    ...(duration !== undefined && { duration }),
    ...(turn?.at && said && { ...said, latestTurn: { at: turn.at, id: turn._id } }),
    createdAt: now,
    updatedAt: now,
  }
}

/**
 * What a post changes in a call that is there, as expressions on its fields. Each only ever moves one way, so that
 * the same posts end in the same call whatever their order, and one that comes again changes nothing.
 */
export function changesBy(input: ConversationInput, turn: NewTurn | undefined, now: Date): Document {
  const { callSid, phoneNumber, to, status } = input
  const duration = wholeSeconds(input)
  const at = believedTime(input, now)
  // By the alphabet completed is less than failed, and that less than processing: the least is the furthest.
  const furthest = { $min: ['$status', status] }
  const longest = duration === undefined ? '$duration' : { $max: ['$duration', duration] }
  const hasMoved = { $or: [{ $ne: [furthest, '$status'] }, { $ne: [longest, '$duration'] }] }
  const needsMetering = { $and: [{ $ne: [furthest, 'processing'] }, hasMoved] }
  return {
    ...(callSid !== undefined && { callSid: { $ifNull: ['$callSid', { $literal: callSid }] } }),
    ...(phoneNumber !== undefined && {
      phoneNumber: { $ifNull: ['$phoneNumber', { $literal: phoneNumber }] },
    }),
    ...(to !== undefined && { calledNumber: { $ifNull: ['$calledNumber', { $literal: to }] } }),
    status: furthest,
    startedAt: { $min: [{ $ifNull: ['$startedAt', '$createdAt'] }, startBy(input, now)] },
    // A post without a time that comes once more ends the call no later than it did before.
    ...(status !== 'processing' && {
      endedAt: at ? { $max: ['$endedAt', at] } : { $ifNull: ['$endedAt', now] },
    }),
    duration: longest,
    meteringPending: { $cond: [needsMetering, true, '$meteringPending'] },
    updatedAt: { $max: ['$updatedAt', now] },
    ...(turn?.at && latestBy(turn, turn.at)),
  }
}

/**
 * Makes a turn's words those that were said last, unless there are later ones. A call of the old system keeps its
 * own: they are nowhere else.
 */
export function latestBy(turn: NewTurn, at: Date): Document {
  const said = saidLast(turn)
  if (!said) return {}
  const isLater = {
    $or: [
      { $gt: [at, '$latestTurn.at'] },
      { $and: [{ $eq: [at, '$latestTurn.at'] }, { $gt: [turn._id, '$latestTurn.id'] }] },
    ],
  }
  const isOld = {
    $and: [
      { $eq: [{ $ifNull: ['$latestTurn', null] }, null] },
      { $ne: [{ $ifNull: ['$userMessage', '$aiResponse', null] }, null] },
    ],
  }
  const isLatest = { $and: [isLater, { $not: [isOld] }] }
  const { userMessage, aiResponse } = said
  return {
    userMessage: { $cond: [isLatest, { $literal: userMessage }, '$userMessage'] },
    aiResponse: { $cond: [isLatest, { $literal: aiResponse }, '$aiResponse'] },
    latestTurn: { $cond: [isLatest, { at, id: turn._id }, '$latestTurn'] },
  }
}

/** What a list shows of a turn, if it has words. Null, not missing: it takes the place of what was said before. */
function saidLast({ userMessage, aiResponse }: NewTurn) {
  if (userMessage === undefined && aiResponse === undefined) return undefined
  return { userMessage: userMessage ?? null, aiResponse: aiResponse ?? null }
}

/** A second that has begun counts. */
function wholeSeconds({ duration }: ConversationInput): number | undefined {
  return duration === undefined ? undefined : Math.ceil(duration)
}

/** When a call began, by a post that came or was made at some time and says how long the call lasted until then. */
function startBy(input: ConversationInput, now: Date): Date {
  const at = believedTime(input, now) ?? now
  return new Date(at.getTime() - Math.floor((input.duration ?? 0) * 1000))
}
