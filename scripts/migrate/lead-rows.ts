import { normaliseBhk } from '../../lib/domain/leads/bhk.js'
import { LeadInput, namedProjectIdOf } from '../../lib/domain/leads/captured-input.js'
import { searchFieldsOf } from '../../lib/domain/leads/lead-search.js'
import { type Lead, LeadStatus } from '../../lib/domain/leads/leads.js'
import { readPhone } from '../../lib/domain/phones/phone.js'
import { UNNAMED_PROJECT } from '../../lib/domain/widgets/widget-configs.js'
import type { ProjectFacts } from './import-kind.js'
import {
  type LegacyRow,
  leftOver,
  readConversation,
  readFreeForm,
  readText,
  stableId,
  timesOf,
  withLegacy,
} from './legacy-values.js'

/** The id of the lead that had an id in the old store. */
export function leadIdOf(legacyId: unknown) {
  return stableId('lead', String(legacyId))
}

/** Whether rows had an id to be named by. */
export function hasId(row: LegacyRow): boolean {
  return row.id !== undefined && row.id !== null && row.id !== ''
}

/** The project of a lead or a chat, as capture would have it. */
export function projectOfRow(row: LegacyRow): string {
  const input = LeadInput.parse(row)
  const projectId = readText(row.projectId, 200) ?? input.metadata.projectId
  return namedProjectIdOf({ ...input, metadata: { projectId } }) ?? UNNAMED_PROJECT
}

/**
 * A lead of the old store as capture would have stored it, when it was captured. Nothing is taken for spam in
 * hindsight: it was on the operators' list until now.
 */
export function leadOfRow(row: LegacyRow, project: ProjectFacts): Lead {
  const input = LeadInput.parse(row)
  const { bounded, kept: keptMetadata } = readFreeForm('metadata', row.metadata)
  const { conversation, kept: keptConversation } = readConversation(row.conversation)
  const status = LeadStatus.safeParse(row.status)
  const microsite = input.microsite ?? project.projectId
  const name = readText(row.name, 200) ?? readText(bounded.name, 200)
  const said = {
    ...readPhone(input.phone, [bounded.phoneCountryCode, project.phoneCountry]),
    ...(name !== undefined && { name }),
    ...normaliseBhk(input.bhk, input.bhkType),
    microsite,
    projectId: project.projectId,
    leadSource: readText(row.leadSource, 100) ?? 'ChatWidget',
    status: status.data ?? ('new' as const),
    ...timesOf(row, ...timesWithin(row, bounded)),
  }
  const heldElsewhere = { metadata: true, conversation: true, phone: said.phone ?? said.phoneRaw }
  const kept = [...keptMetadata, ...keptConversation, ...leftOver(row, { ...said, ...heldElsewhere })]
  const metadata = withLegacy(bounded, kept)
  const { createdAt, updatedAt, ...first } = said
  return {
    _id: hasId(row) ? leadIdOf(row.id) : stableId('lead row', row),
    ...first,
    ...(project.ownerId && { ownerId: project.ownerId }),
    metadata,
    conversation,
    quarantined: false,
    ...searchFieldsOf({ ...said, metadata }),
    createdAt,
    updatedAt,
  }
}

/** The times that a lead or a chat holds beside its own, the likeliest first. */
export function timesWithin(row: LegacyRow, metadata: Readonly<Record<string, unknown>>): unknown[] {
  const { lastInteractionAt, firstSeenAt } = (metadata.visitor ?? {}) as Record<string, unknown>
  const messages = Array.isArray(row.conversation) ? row.conversation : []
  return [lastInteractionAt, messages.at(-1)?.timestamp, firstSeenAt]
}
