import { ObjectId } from 'mongodb'
import { createApiKey, Scope } from '../../lib/domain/accounts/api-keys.js'
import { userProfiles } from '../../lib/domain/accounts/user-profiles.js'
import { rememberAdmitted } from '../../lib/domain/calls/admitted-calls.js'
import { saveConversation } from '../../lib/domain/calls/conversation-ingest.js'
import { ConversationInput } from '../../lib/domain/calls/conversation-input.js'
import { saveLeadSession } from '../../lib/domain/chats/chat-sessions.js'
import { saveChatSession } from '../../lib/domain/chats/session-capture.js'
import { dayOf, eventCounts } from '../../lib/domain/events/event-counts.js'
import { events, recordEvents } from '../../lib/domain/events/events.js'
import { headKeyOf } from '../../lib/domain/leads/lead-follow-up.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import { mailOutbox } from '../../lib/domain/mail-outbox.js'
import { phoneNumbers } from '../../lib/domain/phones/phone-numbers.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { storedLead } from '../support/fixtures/leads.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { createTestUser, type TestUser } from '../support/users.js'
import { canary, countOf, type Role } from './canaries.js'

const STORED_AT = new Date('2026-03-02T10:00:00.000Z')

/** An account, and what is known of everything that it has: of every kind there is. */
export interface Party {
  user: TestUser
  userId: string
  email: string
  projectId: string
  microsite: string
  domain: string
  /** Assigned to the account. */
  phoneNumber: string
  /** Of the person behind the leads. */
  phone: string
  leadIds: readonly string[]
  chatIds: readonly string[]
  /** The visitor's own ids of a chat and of an event. */
  sessionId: string
  eventId: string
  key: { id: string; secret: string }
  /** Ids that tell nothing: in what every widget reads, or made of what a visitor sends. */
  openIds: readonly string[]
}

/** Stores an account with documents in every collection that holds anything of accounts. */
export async function settle(role: Role): Promise<Party> {
  const user = await createTestUser({
    email: `${role}@example.com`,
    name: canary(role, 'name'),
    phone: canary(role, 'phone'),
    plainPassword: `the password of the ${role}`,
  })
  const ownerId = user.user._id
  const [projectId, microsite, domain] = [`${role}-project`, `${role}-site`, `${role}.example`]
  const phoneNumber = role === 'victim' ? '+918000000001' : '+918000000002'
  const phone = role === 'victim' ? '+919811100001' : '+919811100002'
  const place = { projectId, microsite, ownerId, phone }
  const sessionId = `${role}-session`
  const eventId = `${role}-event`

  const [configId, leadIds, chatId, storedEventId, key] = await Promise.all([
    storeConfig(role, { projectId, ownerId, domain }),
    storeLeads(role, place),
    storeChat(role, place, sessionId),
    storeEvent(role, place, eventId),
    createApiKey({ name: canary(role, 'key'), scopes: [...Scope.options] }, ownerId, new Date()),
    storeProfile(role, ownerId, phoneNumber),
    storeMail(user.user.email),
    storeCall(role, ownerId, sessionId, phoneNumber),
  ])
  return {
    user,
    userId: ownerId.toHexString(),
    email: user.user.email,
    projectId,
    microsite,
    domain,
    phoneNumber,
    phone,
    leadIds,
    // The chat of a lead has the lead's id.
    chatIds: [...leadIds, chatId],
    sessionId,
    eventId,
    key: { id: key.apiKey.id, secret: key.key },
    openIds: [configId, chatId, storedEventId],
  }
}

interface Place {
  projectId: string
  microsite: string
  ownerId: ObjectId
  phone: string
}

async function storeConfig(
  role: Role,
  { domain, ...place }: { projectId: string; ownerId: ObjectId; domain: string },
): Promise<string> {
  const settings = { domains: [], agentName: canary(role, 'revision') }
  const config = storedWidgetConfig({
    ...place,
    domains: [domain],
    revision: 2,
    revisions: [{ revision: 1, settings, replacedAt: STORED_AT, replacedBy: canary(role, 'editor') }],
    suggestion: { propertyInfo: { note: canary(role, 'suggestion') }, suggestedAt: STORED_AT },
  })
  await (await widgetConfigs.open()).insertOne(config)
  return config._id.toHexString()
}

/** The first lead of a person, a later one, and one in quarantine; each with its chat. */
async function storeLeads(role: Role, place: Place): Promise<string[]> {
  const lead = (more: Partial<Lead>) =>
    storedLead({
      ...place,
      createdAt: STORED_AT,
      name: `Meera ${canary(role, 'lead-name')}`,
      metadata: { projectId: place.projectId, referrer: canary(role, 'lead-metadata') },
      conversation: [{ id: 'm1', type: 'user', text: canary(role, 'lead-text'), timestamp: 1 }],
      history: [{ at: STORED_AT, by: `user:${place.ownerId}`, note: canary(role, 'note') }],
      ...more,
    })
  const head = lead({ headKey: headKeyOf(place, place.phone), submissions: 2, lastSeenAt: STORED_AT })
  const stored = [
    head,
    lead({ duplicateOf: head._id }),
    lead({ spam: { score: 1, reasons: [canary(role, 'reason')] } }),
  ]
  await (await leads.open()).insertMany(stored)
  for (const one of stored) await saveLeadSession(one)
  return stored.map(({ _id }) => _id.toHexString())
}

async function storeChat(role: Role, place: Place, sessionId: string): Promise<string> {
  const input = {
    ...place,
    sessionId,
    bhk: undefined,
    bhkType: undefined,
    website: undefined,
    metadata: { referrer: canary(role, 'chat-metadata') },
    conversation: [{ id: 'c1', type: 'user', text: canary(role, 'chat'), timestamp: 1 }],
  }
  const project = { ...place, allowsOrigin: () => true }
  return (await saveChatSession(input, project, STORED_AT)).session.id
}

async function storeEvent(role: Role, { projectId, microsite }: Place, id: string): Promise<string> {
  const event = { type: 'cta_selected', projectId, microsite, id, payload: { label: canary(role, 'event') } }
  const request = { now: STORED_AT, clientAddress: '198.51.100.1', userAgent: '', background: () => {} }
  await recordEvents(event, request)
  const day = dayOf(STORED_AT)
  await (await eventCounts.open()).insertOne({
    _id: { projectId, microsite, type: 'chatsShown', day },
    count: countOf(role),
  })
  return String((await (await events.open()).findOne({ projectId }))?._id)
}

async function storeProfile(role: Role, userId: ObjectId, phoneNumber: string): Promise<void> {
  await (await userProfiles.open()).insertOne({
    _id: new ObjectId(),
    userId,
    assignedPhoneNumber: phoneNumber,
    businessInfo: { greeting: canary(role, 'greeting') },
    subscription: { plan: 'premium', stripeCustomerId: canary(role, 'customer') },
    createdAt: STORED_AT,
    updatedAt: STORED_AT,
  })
  await (await phoneNumbers.open()).insertOne({
    _id: phoneNumber,
    userId,
    provider: canary(role, 'provider'),
    assignedAt: STORED_AT,
    createdAt: STORED_AT,
  })
}

/** A call with a turn, metered in the user's period. */
async function storeCall(
  role: Role,
  userId: ObjectId,
  sessionId: string,
  calledNumber: string,
): Promise<void> {
  const call = ConversationInput.parse({
    userId: userId.toHexString(),
    phoneNumber: '+919811100009',
    sessionId,
    callSid: `CA-${role}`,
    turnId: 'turn-1',
    userMessage: canary(role, 'call'),
    aiResponse: canary(role, 'answer'),
    duration: 60,
    status: 'completed',
  })
  const now = new Date()
  await rememberAdmitted(sessionId, calledNumber, userId, now)
  await saveConversation(call, {}, now)
}

async function storeMail(to: string): Promise<void> {
  await (await mailOutbox.open()).insertOne({
    _id: `password-changed:${to}`,
    kind: 'password-changed',
    to,
    state: 'sent',
    dueAt: STORED_AT,
    attempts: 1,
    createdAt: STORED_AT,
    requestedAt: STORED_AT,
    expiresAt: new Date(Date.now() + 3_600_000),
  })
}
