import type { DefinedCollection } from '../db/collection.js'
import { apiKeys } from './accounts/api-keys.js'
import { erasures } from './accounts/erasure.js'
import { loginFailures } from './accounts/login-throttle.js'
import { sessions } from './accounts/sessions.js'
import { userProfiles } from './accounts/user-profiles.js'
import { users } from './accounts/users.js'
import { stripeEvents } from './billing/stripe-events.js'
import { admittedCalls } from './calls/admitted-calls.js'
import { conversationTurns } from './calls/conversation-turns.js'
import { conversations } from './calls/conversations.js'
import { chatSessions } from './chats/chat-sessions.js'
import { eventCounts } from './events/event-counts.js'
import { eventPairs } from './events/event-pairs.js'
import { events } from './events/events.js'
import { recountDays } from './events/recount-days.js'
import { leads } from './leads/leads.js'
import { mailOutbox } from './mail-outbox.js'
import { maintenanceLocks } from './maintenance/maintenance-lock.js'
import { migrations } from './maintenance/migrations.js'
import { phoneNumbers } from './phones/phone-numbers.js'
import { rateCounters } from './rate-counters.js'
import { usagePeriods } from './usage/usage-periods.js'
import { widgetConfigs } from './widgets/widget-configs.js'

/** What can be done with a collection without knowing its documents. */
export type AnyCollection = Pick<DefinedCollection<never>, 'name' | 'indexes' | 'ensureIndexes'>

/** Every collection of the product: for readiness, maintenance and the operators' scripts. */
export const allCollections: readonly AnyCollection[] = [
  admittedCalls,
  apiKeys,
  chatSessions,
  conversations,
  conversationTurns,
  erasures,
  eventCounts,
  eventPairs,
  events,
  leads,
  loginFailures,
  mailOutbox,
  maintenanceLocks,
  migrations,
  phoneNumbers,
  rateCounters,
  recountDays,
  sessions,
  stripeEvents,
  usagePeriods,
  userProfiles,
  users,
  widgetConfigs,
]
