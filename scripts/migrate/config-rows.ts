import { boundFreeForm, type KeptPair } from '../../lib/domain/free-form.js'
import { WidgetConfigInput } from '../../lib/domain/widgets/widget-config-input.js'
import {
  ProjectId,
  PropertyInfo,
  Settings,
  type WidgetConfig,
} from '../../lib/domain/widgets/widget-configs.js'
import { readDomains } from './config-domains.js'
import { type LegacyRow, leftOver, stableId, timesOf, UnusableRow } from './legacy-values.js'

/** The settings that are taken as their form would take them, or not at all. */
const SETTINGS = (Object.keys(Settings.shape) as (keyof Settings)[]).filter(
  field => field !== 'domains' && field !== 'propertyInfo',
)

/**
 * A widget's configuration of the old store: what its form would accept today, and the rest beside it.
 *
 * @throws {UnusableRow} for one that names no project.
 */
export function configOfRow(row: LegacyRow): WidgetConfig {
  const projectId = ProjectId.safeParse(row.projectId)
  if (!projectId.success) throw new UnusableRow('it names no project')
  const { propertyInfo, kept } = readPropertyInfo(row.propertyInfo)
  const accepted = SETTINGS.flatMap(field => {
    const { success, data } = WidgetConfigInput.shape[field].safeParse(row[field])
    return success && data !== undefined ? [[field, data] as const] : []
  })
  const settings = {
    domains: readDomains(row.domains),
    ...Object.fromEntries(accepted),
    ...(propertyInfo && { propertyInfo }),
  }
  const times = timesOf(row)
  const legacy = [
    ...kept,
    ...leftOver(row, { projectId: projectId.data, ...settings, ...times, propertyInfo: true }),
  ]
  return {
    _id: stableId('config', projectId.data),
    projectId: projectId.data,
    ...(settings as Settings),
    revision: 1,
    ...(legacy.length > 0 && { metadata: { legacy } }),
    ...times,
  }
}

/** Prices become pairs. Facts that its form would refuse are read as far as they go, and kept whole beside it. */
function readPropertyInfo(value: unknown): { propertyInfo?: PropertyInfo | undefined; kept: KeptPair[] } {
  if (value === undefined || value === null) return { kept: [] }
  const strict = WidgetConfigInput.shape.propertyInfo.safeParse(value)
  if (strict.success) return { propertyInfo: strict.data, kept: [] }
  const { pricing, ...facts } = boundFreeForm(value).captured
  const { pricing: prices } = value as { pricing?: unknown }
  const pairs = Object.entries(typeof prices === 'object' && prices !== null ? prices : {}).map(
    ([configuration, price]) => ({ configuration, price: String(price) }),
  )
  const loose = PropertyInfo.safeParse({ ...facts, ...(pricing !== undefined && { pricing: pairs }) })
  return { propertyInfo: loose.data, kept: [{ key: 'propertyInfo', value: JSON.stringify(value) }] }
}
