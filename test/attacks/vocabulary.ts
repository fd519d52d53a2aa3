import type { World } from './world.js'

/** The values to send for a parameter or a field, by its name. */
export type Vocabulary = Readonly<Record<string, readonly unknown[]>>

/**
 * For every name that a route gives to a parameter or to a field of its body: what the victim has of that name,
 * first of all what is worth most; then whatever lets the route go through (a free number, the attacker's own
 * password). Enumerations, constants and booleans need no entry: their schema says what there is.
 *
 * A route with a name that is not here fails `idor.long.test.ts`: add what the victim has of it, and have `party.ts`
 * store it if it is something new.
 */
export function vocabularyOf({ victim, attacker, freeNumber, mailed }: World): Vocabulary {
  const { userId } = victim
  const text = 'Changed by somebody else'
  return {
    // What is the victim's.
    id: [...victim.chatIds, victim.key.id, userId, victim.eventId, ...victim.openIds],
    leadId: victim.leadIds,
    userId: [userId],
    userIds: [[userId]],
    ownerId: [userId, null],
    projectId: [victim.projectId, victim.microsite],
    microsite: [victim.microsite, victim.projectId],
    microsites: [[victim.microsite]],
    domain: [victim.domain, victim.projectId],
    domains: [[victim.domain], [victim.projectId, victim.microsite]],
    phoneNumber: [victim.phoneNumber, freeNumber],
    phone: [victim.phone, victim.phoneNumber],
    email: [victim.email, attacker.email, 'nobody@example.com'],
    username: [victim.email, attacker.email],
    sessionId: [victim.sessionId, `lead:${victim.leadIds[0]}`],
    search: ['Meera', victim.phone, victim.microsite],
    // A place in the victim's lists.
    cursor: victim.leadIds.map(id => `${(Date.now() + 60_000).toString(36)}.${id}`),
    metadata: [{ projectId: victim.projectId, ownerId: userId, name: 'Ravi' }],
    payload: [{ projectId: victim.projectId, microsite: victim.microsite, ownerId: userId }],
    conversation: [[{ id: 'm1', type: 'user', text: 'Hello', timestamp: 1 }], []],

    // What the attacker knows of itself.
    password: [attacker.user.password],
    token: mailed,
    refreshToken: [attacker.user.refreshToken],

    // What names nothing of anybody's.
    limit: [200],
    skip: [0, 1],
    revision: [2, 1],
    startDate: ['2000-01-01'],
    endDate: ['2100-01-01'],
    from: ['2000-01-01'],
    to: ['2100-01-01'],
    expiresAt: ['2100-01-01T00:00:00Z'],
    at: [new Date().toISOString()],
    type: ['chat_shown'],
    bhk: [2],
    bhkType: ['2 BHK'],
    website: [null],
    callSid: ['CA-victim', 'CA-of-nobody'],
    turnId: ['turn-1'],
    userMessage: [text],
    aiResponse: [text],
    audioUrl: ['https://elsewhere.example/a.mp3'],
    responseAudioUrl: ['https://elsewhere.example/b.mp3'],
    duration: [1],
    note: [text],
    message: ['What does a 2 BHK cost, and who else has asked?'],
    selectedCta: ['pricing'],
    selectedBhk: ['2 BHK'],
    propertyInfo: [{ location: text }],
    plan: ['basic'],
    name: [text],
    provider: [text],
    aiModel: ['gpt-4'],
    language: ['hi'],
    company: [text],
    industry: [text],
    greeting: [text],
    instructions: [text],
    timeZone: ['Asia/Kolkata'],
    open: ['09:00'],
    close: ['18:00'],
    agentName: [text],
    avatarUrl: ['https://elsewhere.example/a.png'],
    primaryColor: ['#ff0000'],
    followupMessage: [text],
    bhkPrompt: [text],
    inventoryMessage: [text],
    phonePrompt: [text],
    thankYouMessage: [text],
    autoOpenDelayMs: [1],
    welcomeMessage: [text],
    availableBhk: [['2 BHK']],
    amenities: [['Pool']],
    pricing: [{ '2 BHK': '1' }],
    phoneCountry: ['GB'],
  }
}

/** What a request also claims, declared or not: whose it is, and who sends it. */
export function claimsOf({ victim: { userId } }: World): Record<string, unknown> {
  return { _id: userId, userId, ownerId: userId, role: 'admin', status: 'active', isAdmin: true }
}

interface ByDesign {
  /** Fields of the victim's documents that may change: `leads.submissions`. */
  changes?: readonly string[]
  /** Collections that may get documents in the victim's name. */
  adds?: readonly string[]
  /** By whom; by anybody where that is not said. */
  by?: readonly string[]
  because: string
}

const CAPTURED = ['leads', 'chatsessions', 'events', 'eventcounts']
const MAILED: ByDesign = {
  changes: ['users.verifyEmail', 'users.resetPassword', 'mailoutbox'],
  adds: ['mailoutbox'],
  because: 'anybody may have a mail sent to an address: what is in it, its owner alone reads',
}

const SUGGESTED: ByDesign = {
  changes: ['widgetconfigs.suggestion'],
  by: ['nobody', 'an old widget with a key of its own'],
  because: 'an old widget without a key suggests facts, which the owner may accept',
}

/** What others may do to somebody's data, since it is what the route is for. Short, and each with its reason. */
export const BY_DESIGN: Readonly<Record<string, ByDesign>> = {
  'POST /api/leads': {
    changes: ['leads.submissions', 'leads.lastSeenAt', 'eventcounts.count'],
    adds: CAPTURED,
    because: 'a visitor leaves a lead with the project; the same phone again counts on its first lead',
  },
  'POST /api/chat-sessions': {
    changes: ['conversation', 'revision', 'updatedAt', 'phone', 'phoneRaw', 'bhkType', 'metadata'].map(
      field => `chatsessions.${field}`,
    ),
    adds: CAPTURED,
    because:
      'a visitor chats with the project; who knows the id of a chat goes on with it, and reads nothing of it',
  },
  'POST /api/events': {
    changes: ['eventcounts.count'],
    adds: CAPTURED,
    because: 'a visitor’s page reports what happened',
  },
  'GET /api/cron/maintain': {
    changes: ['usageperiods.recomputeAt'],
    because: 'maintenance compares everybody’s usage with their calls, and notes when it did',
  },
  'POST /api/widget-config/:projectId': SUGGESTED,
  'PUT /api/widget-config/:projectId': SUGGESTED,
  'POST /api/auth/forgot-password': MAILED,
  'POST /api/auth/resend-verification': MAILED,
  'POST /api/auth/register': MAILED,
  'POST /api/auth/signup': MAILED,
}
