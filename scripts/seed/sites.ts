import type { User } from '../../lib/domain/accounts/users.js'
import { saveChatSession } from '../../lib/domain/chats/session-capture.js'
import { HOUR_MS } from '../../lib/domain/durations.js'
import { type EventInput, recordEvents } from '../../lib/domain/events/events.js'
import { ChatSessionInput, LeadInput } from '../../lib/domain/leads/captured-input.js'
import { captureLead } from '../../lib/domain/leads/lead-capture.js'
import { getLead, updateLead } from '../../lib/domain/leads/lead-updates.js'
import type { Editor } from '../../lib/domain/widgets/project-ownership.js'
import { WidgetConfigInput } from '../../lib/domain/widgets/widget-config-input.js'
import { saveWidgetConfig } from '../../lib/domain/widgets/widget-config-writes.js'
import { findProject, type Project, widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import type { Site } from './cast.js'
import { MARK, projectOf } from './identities.js'
import type { Visit } from './visits.js'

const MAX_BATCH = 100

/** The widget of a microsite, which is its owner's. One that is there stays as it is. */
export async function makeWidget(site: Site, owner: User, seed: number, since: Date): Promise<Project> {
  const projectId = projectOf(site, seed)
  if (!(await (await widgetConfigs.open()).findOne({ projectId }))) {
    const id = owner._id.toHexString()
    const editor: Editor = {
      id,
      isAdmin: false,
      mayClaim: false,
      ownerId: owner._id,
      mayEdit: config => config.ownerId?.equals(owner._id) ?? false,
    }
    const input = WidgetConfigInput.parse({
      ...site.config,
      domains: [`${projectId}.example`],
      phoneCountry: 'IN',
    })
    await saveWidgetConfig(projectId, input, editor, since)
  }
  return findProject(projectId)
}

/** Records what the widget sends of the visits of one day: it was shown, and a chat begun. */
export async function recordVisits(
  visits: readonly Visit[],
  { projectId }: Project,
  seed: number,
  endOfDay: Date,
): Promise<void> {
  const events = visits.flatMap(({ id, at, started }): EventInput[] => {
    const event = { projectId, microsite: projectId, payload: { [MARK]: seed } }
    const shown = { ...event, type: 'chat_shown', id: `${id}-shown`, at: at.toISOString() }
    const begun = new Date(Math.min(at.getTime() + 4_000, endOfDay.getTime()))
    return started
      ? [shown, { ...event, type: 'chat_started', id: `${id}-started`, at: begun.toISOString() }]
      : [shown]
  })
  const counting: Promise<unknown>[] = []
  const request = {
    now: endOfDay,
    clientAddress: '127.0.0.1',
    userAgent: '',
    background: (task: Promise<unknown>) => void counting.push(task),
  }
  for (let i = 0; i < events.length; i += MAX_BATCH)
    await recordEvents(events.slice(i, i + MAX_BATCH), request)
  await Promise.all(counting)
}

/** Stores the lead or the chat that a visit left, and what became of it until some time. */
export async function storeVisit(
  visit: Visit,
  project: Project,
  owner: User,
  seed: number,
  until: Date,
): Promise<void> {
  const { id, at, left, submission, followUp } = visit
  const { name, city, ...said } = submission
  const visitor = { firstSeenAt: new Date(at.getTime() - 60_000), lastInteractionAt: at, city }
  const { projectId } = project
  const input = { ...said, microsite: projectId, metadata: { projectId, name, visitor, [MARK]: seed } }
  if (left === 'a chat')
    await saveChatSession(ChatSessionInput.parse({ ...input, sessionId: id }), project, at)
  if (left !== 'a lead') return

  const following: Promise<unknown>[] = []
  const { id: leadId } = await captureLead(LeadInput.parse(input), project, {
    now: at,
    clientAddress: '127.0.0.1',
    // A network of its own: so many leads from one would be taken for a flood.
    network: id,
    userAgent: '',
    idempotencyKey: undefined,
    strict: false,
    background: task => void following.push(task),
  })
  await Promise.all(following)
  const calledAt = new Date(at.getTime() + 3 * HOUR_MS)
  if (!followUp || calledAt > until) return
  const scope = { ownerIds: [owner._id] }
  const { status, spam } = await getLead(scope, leadId)
  if (status === 'new' && !spam) await updateLead(scope, leadId, followUp, owner._id.toHexString(), calledAt)
}
