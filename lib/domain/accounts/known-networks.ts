import { hash } from 'node:crypto'
import type { ObjectId } from 'mongodb'
import { type User, users } from './users.js'

const MOST = 10

/** Whether a network is one that the owner of an account is known to use. */
export function isKnownNetwork(user: User, network: string): boolean {
  return user.knownNetworks?.includes(hashOf(user._id, network)) ?? false
}

/** Makes a network a known one, once, in place of the oldest of ten. */
export async function rememberNetwork(userId: ObjectId, network: string): Promise<void> {
  const hashed = hashOf(userId, network)
  await (await users.open()).updateOne(
    { _id: userId, knownNetworks: { $ne: hashed } },
    { $push: { knownNetworks: { $each: [hashed], $slice: -MOST } } },
  )
}

function hashOf(userId: ObjectId, network: string): string {
  return hash('sha256', `${userId}|${network}`, 'base64url').slice(0, 16)
}
