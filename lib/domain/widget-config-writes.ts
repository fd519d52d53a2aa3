import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { isDuplicateKey } from '../db/errors.js'
import { AppError, invalidField } from '../errors.js'
import { StrictFreeForm } from './free-form.js'
import { hostOf } from './hosts.js'
import { phoneCountry } from './phone.js'
import { assertMayCreate, type Editor, handOver } from './project-ownership.js'
import { findUser } from './users.js'
import {
  type PropertyInfo,
  PublicWidgetConfig,
  type Revision,
  Settings,
  toPublicConfig,
  type WidgetConfig,
  widgetConfigs,
} from './widget-configs.js'

const KEPT_REVISIONS = 20

/** How often a change is tried again when another one gets ahead of it. */
const ATTEMPTS = 10

const Text = z.string().trim().max(1_000)
const HttpUrl = z
  .string()
  .trim()
  .max(2_000)
  .refine(text => text === '' || (/^https?:\/\//i.test(text) && URL.canParse(text)), 'must be an http(s) URL')

const Domain = z
  .string()
  .max(300)
  .transform(hostOf)
  .refine(
    host => host === 'localhost' || /^[\w-]+(\.[\w-]+)+$/.test(host),
    'must be a domain like example.com',
  )

const Price = z.union([z.string(), z.number()]).transform(String).pipe(z.string().max(200))

/** Facts about the property as clients send them: prices by configuration, whatever the configuration is called. */
const PropertyInfoInput = z
  .object({
    availableBhk: z.array(z.string().max(100)).max(50).optional(),
    amenities: z.array(z.string().max(200)).max(200).optional(),
    pricing: z.record(z.string().min(1).max(100), Price).nullish(),
  })
  .catchall(z.unknown())
  .transform(({ pricing, ...facts }, context): PropertyInfo => {
    const free = StrictFreeForm.safeParse(facts)
    for (const issue of free.error?.issues ?? [])
      context.addIssue({ code: 'custom', path: issue.path, message: issue.message })
    const pairs = Object.entries(pricing ?? {}).map(([configuration, price]) => ({ configuration, price }))
    return { ...facts, ...(pricing && { pricing: pairs }) } as PropertyInfo
  })

/**
 * A change of a configuration: some of its fields, or the whole form as it was read. What a client may not set
 * (ids, times) is ignored.
 */
export const WidgetConfigInput = z
  .object({
    agentName: z.string().trim().min(1).max(100),
    avatarUrl: HttpUrl,
    primaryColor: z
      .string()
      .regex(/^#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i, 'must be a colour like #2563eb'),
    followupMessage: Text,
    bhkPrompt: Text,
    inventoryMessage: Text,
    phonePrompt: Text,
    thankYouMessage: Text,
    bubblePosition: z.enum(['bottom-right', 'bottom-left']),
    autoOpenDelayMs: z.number().int().min(0).max(600_000),
    welcomeMessage: Text,
    propertyInfo: PropertyInfoInput,
    domains: z
      .array(Domain)
      .max(50)
      .transform(domains => [...new Set(domains)]),
    phoneCountry: z.string().refine(code => phoneCountry(code) !== undefined, 'must be a country like IN'),
    /** The revision that the change was made from: another one by then is a conflict. */
    revision: z.number().int().nonnegative(),
    /** Whose project it is from now on; null for nobody's. For admins. */
    ownerId: z
      .string()
      .regex(/^[0-9a-f]{24}$/, 'must be the id of a user')
      .nullable(),
  })
  .partial()
export type WidgetConfigInput = z.infer<typeof WidgetConfigInput>

/**
 * Changes a project's configuration, and creates it where there is none. Concurrent changes of different fields
 * both survive.
 *
 * @throws {AppError} `conflict` for a stale revision or a domain of another project, `not_found` for a project of
 *   somebody else, `forbidden` for what only an admin may do.
 */
export async function saveWidgetConfig(
  projectId: string,
  input: WidgetConfigInput,
  editor: Editor,
  now: Date,
): Promise<PublicWidgetConfig> {
  const { revision, ownerId, ...changes } = input
  if (ownerId !== undefined && !editor.isAdmin)
    throw new AppError('forbidden', 'Only an admin gives a project to somebody.')
  if (typeof ownerId === 'string') await assertIsUser(ownerId)
  const config = await change(projectId, editor, revision, now, () => changes)
  if (ownerId === undefined) return toPublicConfig(projectId, config)
  const handedOver = await handOver(projectId, ownerId === null ? undefined : new ObjectId(ownerId), now)
  return toPublicConfig(projectId, handedOver)
}

async function assertIsUser(ownerId: string): Promise<void> {
  const user = await findUser(ownerId)
  if (!user || user.status === 'deleted') throw invalidField('ownerId', 'must be the id of a user')
}

/**
 * Saves for an editor; without one, keeps as a suggestion what old widgets send without a key, which is
 * `propertyInfo` and nothing else.
 *
 * @throws {AppError} `unauthenticated` for anything else without an editor, and as `saveWidgetConfig` does.
 */
export async function saveOrSuggest(
  projectId: string,
  input: WidgetConfigInput,
  editor: Editor | undefined,
  now: Date,
): Promise<PublicWidgetConfig> {
  if (editor) return saveWidgetConfig(projectId, input, editor, now)
  const { propertyInfo, ...rest } = input
  if (propertyInfo === undefined || Object.keys(rest).length > 0) throw new AppError('unauthenticated')
  return suggestPropertyInfo(projectId, propertyInfo, now)
}

export const RollbackInput = z.object({ revision: z.number().int().nonnegative() })

/**
 * Makes the settings of an earlier revision the current ones again, as a new revision.
 *
 * @throws {AppError} `not_found` for a revision that is not kept, or a project of somebody else.
 */
export async function rollBackWidgetConfig(
  projectId: string,
  { revision }: z.infer<typeof RollbackInput>,
  editor: Editor,
  now: Date,
): Promise<PublicWidgetConfig> {
  const config = await change(
    projectId,
    editor,
    undefined,
    now,
    current => {
      if (!current) throw new AppError('not_found')
      const kept = current.revisions?.find(candidate => candidate.revision === revision)
      if (!kept) throw new AppError('not_found', 'This revision is not kept.')
      return kept.settings
    },
    'replace',
  )
  return toPublicConfig(projectId, config)
}

export const RevisionList = z.object({
  current: PublicWidgetConfig,
  suggestion: z.object({ propertyInfo: z.record(z.string(), z.unknown()), suggestedAt: z.date() }).nullable(),
  items: z.array(
    z.object({
      revision: z.number().int(),
      replacedAt: z.date(),
      replacedBy: z.string(),
      config: PublicWidgetConfig,
    }),
  ),
})

/**
 * The current configuration, what an old widget suggests, and the versions before, newest first.
 *
 * @throws {AppError} `not_found` for a project of somebody else.
 */
export async function listRevisions(
  projectId: string,
  editor: Editor,
): Promise<z.infer<typeof RevisionList>> {
  const stored = await (await widgetConfigs.open()).findOne({ projectId })
  if (!stored || !editor.mayEdit(stored)) throw new AppError('not_found')
  const { suggestion, revisions = [] } = stored
  return {
    current: toPublicConfig(projectId, stored),
    suggestion: suggestion
      ? {
          propertyInfo: toPublicConfig(projectId, { ...stored, propertyInfo: suggestion.propertyInfo })
            .propertyInfo,
          suggestedAt: suggestion.suggestedAt,
        }
      : null,
    items: revisions.toReversed().map(kept => ({
      revision: kept.revision,
      replacedAt: kept.replacedAt,
      replacedBy: kept.replacedBy,
      config: toPublicConfig(projectId, { ...bare(stored), ...kept.settings, revision: kept.revision }),
    })),
  }
}

/**
 * Keeps the facts that an old widget without a key read off its page, for the project's owner to accept, and
 * answers with what is stored. Nothing is kept for a project that is not there: it has nobody to accept it.
 */
async function suggestPropertyInfo(
  projectId: string,
  propertyInfo: PropertyInfo,
  now: Date,
): Promise<PublicWidgetConfig> {
  const stored = await (await widgetConfigs.open()).findOneAndUpdate(
    { projectId },
    { $set: { suggestion: { propertyInfo, suggestedAt: now } } },
    { returnDocument: 'after' },
  )
  return toPublicConfig(projectId, stored ?? undefined)
}

type Changes = { [field in keyof Settings]?: Settings[field] | undefined }

/** Writes over exactly what it read; when another change got ahead of it, reads again. */
async function change(
  projectId: string,
  editor: Editor,
  expected: number | undefined,
  now: Date,
  changesFor: (current: WidgetConfig | null) => Changes,
  mode: 'merge' | 'replace' = 'merge',
): Promise<WidgetConfig> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const current = await (await widgetConfigs.open()).findOne({ projectId })
    if (current && !editor.mayEdit(current)) throw new AppError('not_found')
    if (expected !== undefined && expected !== (current ? revisionOf(current) : 0))
      throw new AppError('conflict', 'The configuration was changed meanwhile: read it again.')
    const changes = changesFor(current)
    await assertNamesNoOther(projectId, changes.domains ?? [], editor)
    const written = current
      ? await replace(current, changes, mode, editor, now)
      : await create(projectId, changes, editor, now)
    if (written) return written
  }
  throw new AppError('conflict', 'The configuration is being changed by others: try again.')
}

/** A project that is named after a domain has it as much as one that lists it: widgets find it by either. */
async function assertNamesNoOther(
  projectId: string,
  domains: readonly string[],
  editor: Editor,
): Promise<void> {
  if (domains.length === 0) return
  const named = { projectId: { $in: [...domains], $ne: projectId } }
  const others = await (await widgetConfigs.open()).find(named).toArray()
  if (!others.every(other => editor.mayEdit(other))) throw domainTaken()
}

async function create(
  projectId: string,
  changes: Changes,
  editor: Editor,
  now: Date,
): Promise<WidgetConfig | undefined> {
  await assertMayCreate(projectId, editor)
  const config: WidgetConfig = {
    _id: new ObjectId(),
    projectId,
    domains: [],
    ...defined(changes),
    ...(editor.ownerId && { ownerId: editor.ownerId }),
    revision: 1,
    createdAt: now,
    updatedAt: now,
  }
  const configs = await widgetConfigs.openGuarded()
  try {
    await configs.insertOne(config)
    return config
  } catch (error) {
    if (!isDuplicateKey(error)) throw error
  }
  // Either somebody else made the project just now, which the next attempt sees, or a domain is taken.
  if ((await configs.countDocuments({ projectId }, { limit: 1 })) === 0) throw domainTaken()
  return undefined
}

async function replace(
  current: WidgetConfig,
  changes: Changes,
  mode: 'merge' | 'replace',
  editor: Editor,
  now: Date,
): Promise<WidgetConfig | undefined> {
  const { _id } = current
  const revision = revisionOf(current)
  const before: Revision = {
    revision,
    settings: settingsOf(current),
    replacedAt: now,
    replacedBy: editor.id,
  }
  const dropped = mode === 'replace' ? SETTINGS.filter(field => changes[field] === undefined) : []
  const unset = [...dropped, ...(changes.propertyInfo === undefined ? [] : ['suggestion'])]
  const configs = await widgetConfigs.openGuarded()
  try {
    const written = await configs.findOneAndUpdate(
      // Still the document that the editor may change: a project that changed hands is another's by now.
      { _id, revision: current.revision ?? null, ownerId: current.ownerId ?? null } as Filter<WidgetConfig>,
      {
        $set: { ...defined(changes), revision: revision + 1, updatedAt: now },
        $push: { revisions: { $each: [before], $slice: -KEPT_REVISIONS } },
        ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map(field => [field, ''])) }),
      },
      { returnDocument: 'after' },
    )
    return written ?? undefined
  } catch (error) {
    if (isDuplicateKey(error)) throw domainTaken()
    throw error
  }
}

const SETTINGS = Object.keys(Settings.shape) as (keyof Settings)[]

/** A document of the old store may have no domains. */
function settingsOf(config: WidgetConfig): Settings {
  const set = SETTINGS.filter(field => config[field] !== undefined).map(field => [field, config[field]])
  return { domains: [], ...Object.fromEntries(set) }
}

/** A document of the old store counts no changes. */
function revisionOf(config: { revision?: number }): number {
  return config.revision ?? 0
}

/** A document without its settings, to show other ones in its place. */
function bare({ _id, projectId, revision, createdAt, updatedAt }: WidgetConfig) {
  return { _id, projectId, revision, createdAt, updatedAt }
}

function defined(changes: Changes): Partial<Settings> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
}

function domainTaken(): AppError {
  return new AppError('conflict', 'A domain belongs to another project.', {
    details: [{ path: 'domains', message: 'belongs to another project' }],
  })
}
