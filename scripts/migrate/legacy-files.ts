import { chatSessions } from '../../lib/domain/chat-sessions.js'
import { events } from '../../lib/domain/events.js'
import { leads } from '../../lib/domain/leads.js'
import { widgetConfigs } from '../../lib/domain/widget-configs.js'
import { dropTakenDomains, remarkOnDomains } from './config-domains.js'
import { configOfRow } from './config-rows.js'
import { eventOfRow } from './event-rows.js'
import { findExpiredUntil } from './expired-events.js'
import type { ImportKind } from './import-kind.js'
import { leadIdOf, leadOfRow, projectOfRow } from './lead-rows.js'
import { stableId, withLegacy } from './legacy-values.js'
import { linkSessions } from './link-sessions.js'
import { sessionOfRow } from './session-rows.js'

/** The files of the old store, each before those that refer to it. */
export const legacyFiles: readonly ImportKind[] = [
  {
    name: 'widget configurations',
    file: 'widget-config.json',
    list: 'configs',
    collection: widgetConfigs,
    identity: 'projectId',
    documentOf: row => configOfRow(row),
    complete: dropTakenDomains,
    remarkOn: remarkOnDomains,
  },
  {
    name: 'leads',
    file: 'leads.json',
    list: 'leads',
    collection: leads,
    projectOf: projectOfRow,
    documentOf: leadOfRow,
    // Two leads under one id: the first in the file has it, since chats mean one of them at most.
    alternative({ row, document }, stored) {
      const isAnother = stored && stored.createdAt.getTime() !== document.createdAt.getTime()
      return isAnother && document._id.equals(leadIdOf(row.id))
        ? { ...document, _id: stableId('lead row', row) }
        : undefined
    },
  },
  {
    name: 'chat sessions',
    file: 'chat-sessions.json',
    list: 'sessions',
    collection: chatSessions,
    projectOf: projectOfRow,
    documentOf: sessionOfRow,
    complete: linkSessions,
    // A session id that another chat of the microsite has.
    alternative({ document }, stored) {
      const { _id, sessionId, metadata } = document
      if (stored || sessionId === _id.toHexString()) return undefined
      const kept = [{ key: 'sessionId', value: sessionId }]
      return { ...document, sessionId: _id.toHexString(), metadata: withLegacy(metadata, kept) }
    },
  },
  {
    name: 'events',
    file: 'events.json',
    list: 'events',
    collection: events,
    documentOf: (row, _project, expiresAt) => eventOfRow(row, expiresAt),
    findExpiredUntil,
  },
]
