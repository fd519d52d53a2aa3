import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import type { Message } from '../../lib/domain/chats/messages.js'
import { events } from '../../lib/domain/events/events.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { withLatinDigits } from '../../lib/domain/phones/phone.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { dropTakenDomains, remarkOnDomains } from './config-domains.js'
import { configOfRow } from './config-rows.js'
import { eventOfRow } from './event-rows.js'
import { findExpiredUntil } from './expired-events.js'
import type { ImportedDocument, ImportKind } from './import-kind.js'
import { leadIdOf, leadOfRow, projectOfRow } from './lead-rows.js'
import { type LegacyRow, readIsoTime, stableId, withLegacy } from './legacy-values.js'
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
    compared: ['createdAt', 'phone', 'phoneRaw'],
    // Two leads under one id: the first in the file has it, since chats mean one of them at most.
    alternative({ row, document }, stored) {
      return stored && isAnotherLead(row, document, stored) && document._id.equals(leadIdOf(row.id))
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
    compared: ['conversation.text', 'revision'],
    // Two chats under one id, or a session id that another chat of the microsite has.
    alternative({ row, document }, stored) {
      const { _id, sessionId, metadata } = document
      const isUnnamed = sessionId === _id.toHexString()
      if (stored) {
        const ownId = stableId('session row', row)
        if (_id.equals(ownId) || !isAnotherChat(document, stored)) return undefined
        return { ...document, _id: ownId, ...(isUnnamed && { sessionId: ownId.toHexString() }) }
      }
      if (isUnnamed) return undefined
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

/**
 * Another time, or another phone. Whatever country its project has by now, a phone ends in the same digits; a time may
 * have been imported when any was taken for one, and a phone when its digits were not read.
 */
function isAnotherLead(
  { createdAt }: LegacyRow,
  document: ImportedDocument,
  stored: ImportedDocument,
): boolean {
  const onceRead = typeof createdAt === 'string' ? readIsoTime(createdAt) : undefined
  const times = [document.createdAt, onceRead].map(Number)
  return !times.includes(Number(stored.createdAt)) || lastDigits(document) !== lastDigits(stored)
}

function lastDigits({ phone, phoneRaw }: ImportedDocument): string {
  return withLatinDigits(String(phone ?? phoneRaw ?? ''))
    .replace(/\D/g, '')
    .slice(-6)
}

/**
 * Other messages, as far as both have any: the old store may have gone on with the chat between two of its files. Where
 * a visitor went on with the stored chat since, its row does not say the same any more.
 */
function isAnotherChat({ conversation }: ImportedDocument, stored: ImportedDocument): boolean {
  if (stored.revision !== undefined) return false
  const both = Math.min(conversation.length, stored.conversation.length)
  return textsOf(conversation, both) !== textsOf(stored.conversation, both)
}

/** As they are stored: half of a character, where one was cut in two, is U+FFFD there. */
function textsOf(conversation: readonly Message[], count: number): string {
  const texts = conversation.slice(0, count).map(({ text }) => text.replace(/\p{Surrogate}/gu, '\ufffd'))
  return JSON.stringify(texts)
}
