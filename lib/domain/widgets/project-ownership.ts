import type { Filter, ObjectId } from 'mongodb'
import { AppError } from '../../errors.js'
import { type ChatSession, chatSessions } from '../chats/chat-sessions.js'
import { type EventCount, eventCounts } from '../events/event-counts.js'
import { events } from '../events/events.js'
import { type Lead, leads } from '../leads/leads.js'
import { REQUEST_LIFE_MS } from '../request-life.js'
import { hostOf } from './hosts.js'
import {
  listsDomains,
  namesAfter,
  UNNAMED_PROJECT,
  type WidgetConfig,
  widgetConfigs,
} from './widget-configs.js'

const onlyId = { projection: { _id: 1 } }

/** Who changes a project. */
export interface Editor {
  /** For histories. */
  id: string
  isAdmin: boolean
  /** Whether it may configure a project of nobody that has data already. */
  mayClaim: boolean
  /** Whose projects it creates; nobody's for an admin or a key of the deployment. */
  ownerId?: ObjectId
  mayEdit(config: Pick<WidgetConfig, 'ownerId' | 'projectId'>): boolean
}

/**
 * Lets an admin and an unlimited key create any project, and others one whose id nobody has and that has no data yet:
 * nobody gets at existing leads or counts by claiming the id that they were captured under, nor at those to come of a
 * domain that another project lists, or of pages that name no project.
 *
 * @throws {AppError} `not_found`, as for a project of somebody else.
 */
export async function assertMayCreate(projectId: string, editor: Editor): Promise<void> {
  if (editor.mayClaim) return
  const { ownerId } = editor
  if (!editor.mayEdit({ projectId, ...(ownerId && { ownerId }) })) throw new AppError('not_found')
  const domain = hostOf(projectId)
  const microsite = projectId
  const [isTaken, isOnMicrosite, lister] = await Promise.all([
    areTaken([projectId, ...namesAfter(domain)], editor),
    find({ microsite }, { '_id.microsite': microsite }),
    (await widgetConfigs.open()).findOne({ domains: domain, ...listsDomains }),
  ])
  const isAnothers = lister !== null && !editor.mayEdit(lister)
  if (projectId === UNNAMED_PROJECT || isTaken || isOnMicrosite || isAnothers) throw new AppError('not_found')
}

/** Whether one of these ids is that of a project of somebody else, or of what was captured for a project of nobody. */
export async function areTaken(projectIds: readonly string[], editor: Editor): Promise<boolean> {
  const configs = await widgetConfigs.open()
  const projects = await configs.find({ projectId: { $in: projectIds } }).toArray()
  if (!projects.every(editor.mayEdit)) return true
  const own = projects.map(({ projectId }) => projectId)
  return hasCaptured(projectIds.filter(projectId => !own.includes(projectId)))
}

/** Whether anything was captured for a project of one of these ids. */
async function hasCaptured(projectIds: readonly string[]): Promise<boolean> {
  const projectId = { $in: projectIds }
  // Not yet counted, perhaps. The day is what lets an index be used: it costs days and types, not events.
  const recorded = (await events.open()).findOne({ day: { $gte: '' }, projectId }, onlyId)
  const found = await Promise.all([find({ projectId }, { '_id.projectId': projectId }), recorded])
  return found.some(Boolean)
}

async function find(captured: Filter<Lead & ChatSession>, counted: Filter<EventCount>): Promise<boolean> {
  const found = await Promise.all([
    (await leads.open()).findOne(captured as Filter<Lead>, onlyId),
    (await chatSessions.open()).findOne(captured as Filter<ChatSession>, onlyId),
    (await eventCounts.open()).findOne(counted, onlyId),
  ])
  return found.some(document => document !== null)
}

/**
 * Gives a project to an owner, or to nobody, and its leads and chats with it. The project changes hands in one
 * write that remembers what is left to do; a crash in the middle is mended by `finishHandOvers`.
 *
 * @throws {AppError} `not_found` for a project that is not stored.
 */
export async function handOver(
  projectId: string,
  ownerId: ObjectId | undefined,
  now: Date,
): Promise<WidgetConfig> {
  const config = await changeHands({ projectId }, ownerId, now)
  if (!config) throw new AppError('not_found')
  return config
}

/**
 * Takes all projects from their owner, as `handOver` does: they are nobody's then, and their widgets go on capturing.
 * Returns how many.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function releaseProjects(ownerId: ObjectId, now: Date): Promise<number> {
  let released = 0
  // One after the other, each while it is this owner's still.
  while (await changeHands({ ownerId }, undefined, now)) released += 1
  return released
}

async function changeHands(
  which: Filter<WidgetConfig>,
  ownerId: ObjectId | undefined,
  now: Date,
): Promise<WidgetConfig | null> {
  const configs = await widgetConfigs.openGuarded()
  const config = await configs.findOneAndUpdate(
    which,
    ownerId
      ? { $set: { ownerId, ownerChangedAt: now, updatedAt: now } }
      : { $set: { ownerChangedAt: now, updatedAt: now }, $unset: { ownerId: '' } },
    { returnDocument: 'after' },
  )
  if (config) await restamp(config.projectId, ownerId)
  return config
}

/**
 * Hands over what captures that were under way have still written under the old owner, and what a crash left.
 * Returns how many projects are done.
 *
 * @param shouldStop whether to end before the next one.
 */
export async function finishHandOvers(now: Date, shouldStop: () => boolean = () => false): Promise<number> {
  const configs = await widgetConfigs.open()
  const settled = configs.find({ ownerChangedAt: { $lt: new Date(now.getTime() - REQUEST_LIFE_MS) } })
  let finished = 0
  for await (const { _id, projectId, ownerId, ownerChangedAt } of settled) {
    if (shouldStop()) break
    if (ownerChangedAt === undefined) continue
    await restamp(projectId, ownerId)
    // Unless it changed hands again meanwhile.
    const done = await configs.updateOne({ _id, ownerChangedAt }, { $unset: { ownerChangedAt: '' } })
    finished += done.modifiedCount
  }
  return finished
}

/**
 * Stamps leads and chats with an owner, and again with whom the project belongs to by then: of several that hand
 * it over at once, whoever ends last has seen the last owner.
 */
async function restamp(projectId: string, ownerId: ObjectId | undefined): Promise<void> {
  const configs = await widgetConfigs.open()
  let stamped = ownerId
  for (;;) {
    await stamp(projectId, stamped)
    const config = await configs.findOne({ projectId }, { projection: { ownerId: 1 } })
    if (String(config?.ownerId) === String(stamped)) return
    stamped = config?.ownerId
  }
}

/** Sets the owner wherever it is another: what was done before is not done again. */
async function stamp(projectId: string, ownerId: ObjectId | undefined): Promise<void> {
  const [allLeads, allChats] = await Promise.all([leads.open(), chatSessions.open()])
  if (ownerId) {
    const others = { projectId, ownerId: { $ne: ownerId } }
    await allLeads.updateMany(others, { $set: { ownerId } })
    await allChats.updateMany(others, { $set: { ownerId } })
    return
  }
  const owned = { projectId, ownerId: { $exists: true } }
  await allLeads.updateMany(owned, { $unset: { ownerId: '' } })
  await allChats.updateMany(owned, { $unset: { ownerId: '' } })
}
