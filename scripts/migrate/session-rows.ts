import type { ChatSession } from '../../lib/domain/chats/chat-sessions.js'
import { normaliseBhk } from '../../lib/domain/leads/bhk.js'
import { ChatSessionInput } from '../../lib/domain/leads/captured-input.js'
import { readPhone } from '../../lib/domain/phones/phone.js'
import type { ProjectFacts } from './import-kind.js'
import { hasId, timesWithin } from './lead-rows.js'
import {
  type LegacyRow,
  leftOver,
  readConversation,
  readFreeForm,
  stableId,
  timesOf,
  withLegacy,
} from './legacy-values.js'

/**
 * A chat of the old store; whose lead it is, is found by `linkSessions`. The `leadId` of the old store is kept: that
 * lead may be imported later, or its import be undone.
 */
export function sessionOfRow(row: LegacyRow, project: ProjectFacts): ChatSession {
  const { sessionId: given, ...input } = ChatSessionInput.partial({ sessionId: true }).parse({
    ...row,
    sessionId: ChatSessionInput.shape.sessionId.safeParse(row.sessionId).data,
  })
  const { bounded, kept: keptMetadata } = readFreeForm('metadata', row.metadata)
  const { conversation, kept: keptConversation } = readConversation(row.conversation)
  const { phone } = readPhone(input.phone, [bounded.phoneCountryCode, project.phoneCountry])
  const isBhkGiven = input.bhk !== undefined || input.bhkType !== undefined
  // Not by its id alone: rows of two chats under one id are two chats.
  const _id = hasId(row) ? stableId('session', String(row.id), row.createdAt) : stableId('session row', row)
  const said = {
    sessionId: given ?? _id.toHexString(),
    microsite: input.microsite ?? project.projectId,
    projectId: project.projectId,
    ...(phone !== undefined && { phone }),
    ...(isBhkGiven && { bhkType: normaliseBhk(input.bhk, input.bhkType).bhkType }),
    ...timesOf(row, ...timesWithin(row, bounded)),
  }
  const kept = [
    ...keptMetadata,
    ...keptConversation,
    ...leftOver(row, { ...said, metadata: true, conversation: true }),
  ]
  const { createdAt, updatedAt, ...first } = said
  return {
    _id,
    ...first,
    ...(project.ownerId && { ownerId: project.ownerId }),
    conversation,
    metadata: withLegacy(bounded, kept),
    createdAt,
    updatedAt,
  }
}
