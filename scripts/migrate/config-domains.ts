import { hostOf } from '../../lib/domain/widgets/hosts.js'
import { MAX_DOMAINS, WidgetConfigInput } from '../../lib/domain/widgets/widget-config-input.js'
import { listsDomains, type WidgetConfig, widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import type { Item } from './import-kind.js'

/** The domains of a row that the form of a configuration would take, each by itself: a bad one costs no other. */
export function readDomains(value: unknown): string[] {
  const domains = givenDomains(value).flatMap(
    domain => WidgetConfigInput.shape.domains.safeParse([domain]).data ?? [],
  )
  return [...new Set(domains)].slice(0, MAX_DOMAINS)
}

/**
 * Takes from configurations the domains that another project has: of two in the same files, the second.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function dropTakenDomains(items: readonly Item[]): Promise<void> {
  const wanted = items.flatMap(({ document }) => document.domains as string[])
  if (wanted.length === 0) return
  const stored = (await widgetConfigs.open()).find<Pick<WidgetConfig, 'projectId' | 'domains'>>(
    { domains: { $in: wanted }, ...listsDomains },
    { projection: { _id: 0, projectId: 1, domains: 1 } },
  )
  const owners = new Map<string, string>()
  for await (const { projectId, domains } of stored)
    for (const domain of domains) owners.set(domain, projectId)
  for (const { document } of items) {
    const { projectId, domains } = document as unknown as WidgetConfig
    document.domains = domains.filter(domain => (owners.get(domain) ?? projectId) === projectId)
    for (const domain of document.domains) owners.set(domain, projectId)
  }
}

/** What became of the domains of a row, where not all are in its document. */
export function remarkOnDomains({ row, document }: Item): string | undefined {
  const domains: string[] = document.domains
  const lost = givenDomains(row.domains).filter(domain => !domains.includes(hostOf(String(domain))))
  if (lost.length === 0) return undefined
  const named = `${document.projectId}: ${lost.map(domain => JSON.stringify(domain)).join(', ')}`
  return domains.length > 0
    ? `${named} left out, being no domain, another project's, or beyond ${MAX_DOMAINS}`
    : `${named} left out, and no domain remains: EVERY SITE may use this widget until its owner lists one`
}

function givenDomains(value: unknown): unknown[] {
  return [value ?? []].flat()
}
