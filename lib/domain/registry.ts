import type { DefinedCollection } from '../db/collection.js'
import { apiKeys } from './api-keys.js'
import { chatSessions } from './chat-sessions.js'
import { conversationTurns } from './conversation-turns.js'
import { conversations } from './conversations.js'
import { erasures } from './erasure.js'
import { eventCounts } from './event-counts.js'
import { eventPairs } from './event-pairs.js'
import { events } from './events.js'
import { leads } from './leads.js'
import { loginFailures } from './login-throttle.js'
import { mailOutbox } from './mail-outbox.js'
import { maintenanceLocks } from './maintenance-lock.js'
import { migrations } from './migrations.js'
import { phoneNumbers } from './phone-numbers.js'
import { rateCounters } from './rate-counters.js'
import { recountDays } from './recount-days.js'
import { sessions } from './sessions.js'
import { stripeEvents } from './stripe-events.js'
import { usagePeriods } from './usage-periods.js'
import { userProfiles } from './user-profiles.js'
import { users } from './users.js'
import { widgetConfigs } from './widget-configs.js'

/** What can be done with a collection without knowing its documents. */
export type AnyCollection = Pick<DefinedCollection<never>, 'name' | 'indexes' | 'ensureIndexes'>

/** Every collection of the product: for readiness, maintenance and the operators' scripts. */
export const allCollections: readonly AnyCollection[] = [
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
