import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { patiently } from '../../db/patience.js'
import { KeptPair } from '../free-form.js'
import { hostOf } from './hosts.js'

/** A project's id: what its widget was deployed with, often the site's host name. Dots and case are kept. */
export const ProjectId = z.string().trim().min(1).max(200)

/** The project of what names none: old widgets know it by that id. */
export const UNNAMED_PROJECT = 'default'

/** The texts and looks that a widget shows; each has a default, so a stored configuration may be partial. */
const Appearance = z.object({
  agentName: z.string(),
  avatarUrl: z.string(),
  primaryColor: z.string(),
  followupMessage: z.string(),
  bhkPrompt: z.string(),
  inventoryMessage: z.string(),
  phonePrompt: z.string(),
  thankYouMessage: z.string(),
  bubblePosition: z.enum(['bottom-right', 'bottom-left']),
  autoOpenDelayMs: z.number().int().nonnegative(),
  welcomeMessage: z.string(),
})
type Appearance = z.infer<typeof Appearance>

/** Facts about the property. Prices are pairs, since a configuration ("3.5 BHK") can be no key in MongoDB. */
export const PropertyInfo = z
  .object({
    availableBhk: z.array(z.string()),
    amenities: z.array(z.string()),
    pricing: z.array(z.object({ configuration: z.string(), price: z.string() })),
  })
  .partial()
  .catchall(z.unknown())
export type PropertyInfo = z.infer<typeof PropertyInfo>

/** What the owner of a project writes, and what its revisions keep. */
export const Settings = Appearance.partial().extend({
  propertyInfo: PropertyInfo.optional(),
  /** Host names that may use this project; none means any. */
  domains: z.array(z.string()),
  /** Country of phone numbers without a country code, ISO 3166-1 alpha-2. */
  phoneCountry: z.string().length(2).optional(),
})
export type Settings = z.infer<typeof Settings>

/** The settings as they were until somebody changed them. */
const Revision = z.object({
  /** 0 for what the old store had. */
  revision: z.number().int().nonnegative(),
  settings: Settings,
  /** When they were replaced, and by whom. */
  replacedAt: z.date(),
  replacedBy: z.string(),
})
export type Revision = z.infer<typeof Revision>

export const WidgetConfig = Settings.extend({
  _id: z.instanceof(ObjectId),
  projectId: ProjectId,
  ownerId: z.instanceof(ObjectId).optional(),
  revision: z.number().int().positive(),
  /** The last versions, newest last. */
  revisions: z.array(Revision).optional(),
  /** What an old widget without a key would have written; its owner may. */
  suggestion: z.object({ propertyInfo: PropertyInfo, suggestedAt: z.date() }).optional(),
  /** When the project was made for its owner or changed hands, until all its leads and chats carry that one. */
  ownerChangedAt: z.date().optional(),
  /** What the old store had of it that has no place here, and the migration that brought it. */
  metadata: z.object({ legacy: z.array(KeptPair) }).optional(),
  migration: z.number().int().optional(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type WidgetConfig = z.infer<typeof WidgetConfig>

/** The index on domains covers these documents only: a query has to say so to use it. */
export const listsDomains = { 'domains.0': { $exists: true } }

export const widgetConfigs = collection<WidgetConfig>({
  name: 'widgetconfigs',
  schema: WidgetConfig,
  indexes: [
    { name: 'projectId', key: { projectId: 1 }, unique: true },
    // A domain belongs to one project; partial, or all projects without domains would collide on null.
    {
      name: 'domains',
      key: { domains: 1 },
      unique: true,
      partialFilterExpression: listsDomains,
    },
    // The projects of an account.
    { name: 'ownerId', key: { ownerId: 1 } },
    // Those whose leads and chats are being handed over.
    {
      name: 'ownerChangedAt',
      key: { ownerChangedAt: 1 },
      partialFilterExpression: { ownerChangedAt: { $exists: true } },
    },
  ],
})

/** What a request needs to know of the project it names. */
export interface Project {
  projectId: string
  ownerId?: ObjectId
  phoneCountry?: string
  /** Whether a page of this origin may use the project: any may while no domains are listed. */
  allowsOrigin(origin: string): boolean
}

/**
 * The project of an id; an unknown one is open to every origin and has no owner.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function findProject(projectId: string): Promise<Project> {
  const configs = await widgetConfigs.open()
  const stored = await configs.findOne(
    { projectId },
    { projection: { domains: 1, ownerId: 1, phoneCountry: 1 } },
  )
  return {
    projectId,
    ...(stored?.ownerId && { ownerId: stored.ownerId }),
    ...(stored?.phoneCountry && { phoneCountry: stored.phoneCountry }),
    allowsOrigin: origin => allowsOrigin(stored?.domains, origin),
  }
}

/**
 * What several projects have in common: an origin may use them if it may use each.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function findProjects(projectIds: readonly string[]): Promise<Pick<Project, 'allowsOrigin'>> {
  const configs = await widgetConfigs.open()
  const stored = await configs
    .find({ projectId: { $in: [...new Set(projectIds)] } }, { projection: { domains: 1 } })
    .toArray()
  return { allowsOrigin: origin => stored.every(({ domains }) => allowsOrigin(domains, origin)) }
}

/** A configuration as it was found for a widget: what to send it and how far that may be trusted. */
export interface FoundWidgetConfig {
  config: PublicWidgetConfig
  /** Somebody has configured this project: it is none that a request made up. */
  isStored: boolean
  /** The database did not say so just now: what nobody may keep. */
  stale: boolean
  allowsOrigin(origin: string): boolean
}

/** The last configuration that this process read of each project, for when the database is away. */
const lastKnown = new Map<string, WidgetConfig | null>()
const LAST_KNOWN_MAX = 500

/** How long a widget waits for the database where the last configuration is at hand, in milliseconds. */
export const PATIENCE_MS = 800

/**
 * The configuration of a project for its widget: stored fields over the defaults. A widget is never failed, and
 * waits for no database that hangs: it gets what this process read last, or the defaults while the database is away.
 */
export async function findWidgetConfig(projectId: string): Promise<FoundWidgetConfig> {
  const known = lastKnown.get(projectId)
  const read = await patiently(readConfig(projectId), known === undefined ? undefined : PATIENCE_MS)
  const stored = read === undefined ? known : read
  return {
    config: toPublicConfig(projectId, stored ?? undefined),
    isStored: Boolean(stored),
    stale: read === undefined,
    allowsOrigin: origin => allowsOrigin(stored?.domains, origin),
  }
}

async function readConfig(projectId: string): Promise<WidgetConfig | null> {
  // Without what only its owner sees: it may be a megabyte, and is remembered.
  const shown = { projection: { revisions: 0, suggestion: 0 } }
  const stored = await (await widgetConfigs.open()).findOne({ projectId }, shown)
  remember(projectId, stored)
  return stored
}

/** Which project a page belongs to, from its domain. */
export const ProjectOfDomain = z.object({
  projectId: z.string(),
  domain: z.string(),
  source: z.enum(['database', 'auto_detected']),
})

/**
 * The project that lists a domain, or is named after it; a domain of nobody is a project of its own. Answers that
 * also while the database is away, and says that it may be wrong (`stale`).
 */
export async function findProjectByDomain(
  text: string,
): Promise<z.infer<typeof ProjectOfDomain> & { stale: boolean }> {
  const domain = hostOf(text) || text.trim().toLowerCase()
  const stored = await patiently(findProjectIdOfDomain(domain))
  const source = stored ? 'database' : 'auto_detected'
  return { projectId: stored ?? domain, domain, source, stale: stored === undefined }
}

/**
 * The id of the project that lists a domain, in the form that `hostOf` gives it, or else is named after it; null where
 * there is none.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function findProjectIdOfDomain(domain: string): Promise<string | null> {
  const configs = await widgetConfigs.open()
  const onlyId = { projection: { projectId: 1 } }
  const names = namesAfter(domain)
  const [lister, named] = await Promise.all([
    configs.findOne({ domains: domain, ...listsDomains }, onlyId),
    configs.find({ projectId: { $in: names } }, onlyId).toArray(),
  ])
  const name = names.find(candidate => named.some(({ projectId }) => projectId === candidate))
  return lister?.projectId ?? name ?? null
}

/**
 * The ids by which a project is named after a domain, the one that goes before first: the old store has some with the
 * `www.` that domains are compared without.
 */
export function namesAfter(domain: string): string[] {
  return [domain, `www.${domain}`]
}

function remember(projectId: string, config: WidgetConfig | null): void {
  lastKnown.delete(projectId)
  lastKnown.set(projectId, config)
  const [oldest] = lastKnown.keys()
  if (lastKnown.size > LAST_KNOWN_MAX && oldest !== undefined) lastKnown.delete(oldest)
}

/** A document of the old store may have no `domains`. */
function allowsOrigin(domains: readonly string[] | undefined, origin: string): boolean {
  return !domains?.length || domains.includes(hostOf(origin))
}

const DEFAULTS: Appearance = {
  agentName: 'Asha',
  avatarUrl: '',
  primaryColor: '#2563eb',
  followupMessage: 'Happy to help with that.',
  bhkPrompt: 'Which configuration are you looking for?',
  inventoryMessage: 'Here is what is available right now.',
  phonePrompt: 'Please share your mobile number and our team will call you back.',
  thankYouMessage: 'Thank you! Someone from our team will call you shortly.',
  bubblePosition: 'bottom-right',
  autoOpenDelayMs: 4000,
  welcomeMessage: 'Hi 👋\nHow can we help you today?',
}

/** When the defaults above were last changed, so that an unchanged default answer keeps its ETag. */
const DEFAULTS_CHANGED_AT = new Date('2026-11-22T00:00:00.000Z')

/** The flat shape that every widget generation reads. */
export const PublicWidgetConfig = Appearance.extend({
  id: z.string(),
  _id: z.string(),
  projectId: ProjectId,
  propertyInfo: z.record(z.string(), z.unknown()),
  domains: z.array(z.string()),
  phoneCountry: z.string().optional(),
  /** Counts the changes; 0 while nothing is stored. As a change's `If-Match` it guards against overwriting another. */
  revision: z.number().int(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type PublicWidgetConfig = z.infer<typeof PublicWidgetConfig>

/** Stored fields over the defaults; a project that is not stored is its own id. */
export function toPublicConfig(projectId: string, stored: WidgetConfig | undefined): PublicWidgetConfig {
  const id = stored?._id.toHexString() ?? projectId
  const { pricing, ...facts } = stored?.propertyInfo ?? {}
  return {
    ...appearanceOf(stored ?? {}),
    id,
    _id: id,
    projectId,
    propertyInfo: {
      availableBhk: [],
      amenities: [],
      ...facts,
      ...(pricing && { pricing: byConfiguration(pricing) }),
    },
    domains: stored?.domains ?? [],
    ...(stored?.phoneCountry !== undefined && { phoneCountry: stored.phoneCountry }),
    revision: stored?.revision ?? 0,
    createdAt: stored?.createdAt ?? DEFAULTS_CHANGED_AT,
    updatedAt: stored?.updatedAt ?? DEFAULTS_CHANGED_AT,
  }
}

/** Prices by configuration, as the old store has them already. */
function byConfiguration(pricing: NonNullable<PropertyInfo['pricing']> | Record<string, string>) {
  if (!Array.isArray(pricing)) return pricing
  return Object.fromEntries(pricing.map(({ configuration, price }) => [configuration, price]))
}

function appearanceOf(stored: { [field in keyof Appearance]?: unknown }): Appearance {
  const fields = Object.entries(DEFAULTS) as [keyof Appearance, unknown][]
  return Object.fromEntries(fields.map(([field, value]) => [field, stored[field] ?? value])) as Appearance
}
