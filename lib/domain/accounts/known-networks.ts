import { hash } from 'node:crypto'
import type { ObjectId } from 'mongodb'
import { type User, users } from './users.js'

const MOST = 10

/** Whether a network is one that the owner of an account is known to use. */
export function isKnownNetwork(user: User, network: string): boolean {
  return user.knownNetworks?.includes(hashOf(user._id, network)) ?? false
}

/** The `$push` that makes a network a known one, in place of the oldest of ten. */
export function withNetwork(userId: ObjectId, network: string) {
  return { knownNetworks: { $each: [hashOf(userId, network)], $slice: -MOST } }
}

/** Makes a network a known one, once. */
export async function rememberNetwork(userId: ObjectId, network: string): Promise<void> {
  await (await users.open()).updateOne(
    { _id: userId, knownNetworks: { $ne: hashOf(userId, network) } },
    { $push: withNetwork(userId, network) },
  )
}

function hashOf(userId: ObjectId, network: string): string {
  return hash('sha256', `${userId}|${network}`, 'base64url').slice(0, 16)
}
