import { patiently } from '../../db/patience.js'
import { env } from '../../env.js'
import { DAY_SECONDS } from '../durations.js'
import { countHit } from '../rate-counters.js'

/** The share of a project's budget that one client network may use, so that it cannot silence the model for all. */
const SHARE_OF_ADDRESS = 0.1

/** Names no project: what a request makes up shares one budget, or made-up names would be one each. */
const PROJECTS_OF_NOBODY = ''

/**
 * Takes one answer of the model out of the budgets of this day (UTC) of a project and a client address; false where
 * one of them is used up. Answers cost money and anybody may ask: what cannot be counted is not allowed.
 */
export async function takeModelAnswer(
  project: { projectId: string; isStored: boolean },
  network: string,
  now: Date,
): Promise<boolean> {
  const limit = env().chatAnswersPerDay
  const ofAddress = { policy: 'chat-answers-of-address', key: network, limit: limit * SHARE_OF_ADDRESS }
  const key = project.isStored ? project.projectId : PROJECTS_OF_NOBODY
  // One after the other: an address that has had its share takes nothing from the others.
  const takeBoth = async () =>
    (await take(ofAddress, now)) && (await take({ policy: 'chat-answers', key, limit }, now))
  return (await patiently(takeBoth())) ?? false
}

async function take(
  { policy, key, limit }: { policy: string; key: string; limit: number },
  now: Date,
): Promise<boolean> {
  const { count } = await countHit(policy, key, DAY_SECONDS, now)
  return count <= Math.ceil(limit)
}
