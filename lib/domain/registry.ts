import type { DefinedCollection } from '../db/collection.js'
import { chatSessions } from './chat-sessions.js'
import { eventCounts } from './event-counts.js'
import { events } from './events.js'
import { leads } from './leads.js'
import { rateCounters } from './rate-counters.js'
import { widgetConfigs } from './widget-configs.js'

/** What can be done with a collection without knowing its documents. */
export type AnyCollection = Pick<DefinedCollection<never>, 'name' | 'indexes' | 'ensureIndexes'>

/** Every collection of the product: for readiness, maintenance and the operators' scripts. */
export const allCollections: readonly AnyCollection[] = [
  chatSessions,
  eventCounts,
  events,
  leads,
  rateCounters,
  widgetConfigs,
]
