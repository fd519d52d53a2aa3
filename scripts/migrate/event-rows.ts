import { dayOf } from '../../lib/domain/events/event-counts.js'
import { believable, type WidgetEvent } from '../../lib/domain/events/events.js'
import { type LegacyRow, leftOver, readFreeForm, readText, stableId, timesOf } from './legacy-values.js'

/**
 * An event of the old store, received when it was stored there. A row that says exactly what another one says, id and
 * time included, is that one once more.
 */
export function eventOfRow(row: LegacyRow, expiresAt: Date | undefined): WidgetEvent {
  const { bounded, kept } = readFreeForm('payload', row.payload)
  const { createdAt: receivedAt } = timesOf(row, bounded.at, row.at)
  const type = readText(row.type, 64) ?? 'unknown'
  const named = readText(row.microsite, 200)
  const projectId = readText(row.projectId, 200) ?? readText(bounded.projectId, 200) ?? named ?? 'default'
  const microsite = named ?? projectId
  const at = believable(row.at ?? bounded.at, receivedAt)
  const stored = {
    type,
    projectId,
    microsite,
    payload: true,
    at,
    createdAt: receivedAt,
    updatedAt: receivedAt,
  }
  const legacy = [...kept, ...leftOver(row, stored)]
  return {
    _id: stableId('event row', row),
    type,
    projectId,
    microsite,
    ...(row.payload !== undefined && row.payload !== null && { payload: bounded }),
    at,
    day: dayOf(believable(row.at, receivedAt)),
    receivedAt,
    ...(expiresAt && { expiresAt }),
    ...(legacy.length > 0 && { metadata: { legacy } }),
  }
}
