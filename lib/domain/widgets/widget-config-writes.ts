import { type Filter, ObjectId } from 'mongodb'
import { unlessTaken } from '../../db/upsert.js'
import { AppError, invalidField } from '../../errors.js'
import { findUser } from '../accounts/users.js'
import { areTaken, assertMayCreate, type Editor, handOver } from './project-ownership.js'
import type { WidgetConfigInput } from './widget-config-input.js'
import {
  findProject,
  namesAfter,
  type Project,
  type PropertyInfo,
  type PublicWidgetConfig,
  type Revision,
  Settings,
  toPublicConfig,
  type WidgetConfig,
  widgetConfigs,
} from './widget-configs.js'

const KEPT_REVISIONS = 20

/** Which revisions a change may be made from: any that is stored, or one of these; 0 is that of what is not stored. */
export type ExpectedRevision = 'any' | readonly number[]

/** How often a change is tried again when another one gets ahead of it. */
const ATTEMPTS = 10

/**
 * Changes a project's configuration, and creates it where there is none. Concurrent changes of different fields
 * both survive.
 *
 * @param expected which revisions the change may be made from, where its client says so.
 * @throws {AppError} `conflict` for another revision or a domain of another project, `not_found` for a project of
 *   somebody else, `forbidden` for what only an admin may do.
 */
export async function saveWidgetConfig(
  projectId: string,
  input: WidgetConfigInput,
  editor: Editor,
  now: Date,
  expected?: ExpectedRevision,
): Promise<PublicWidgetConfig> {
  const { ownerId, ...changes } = input
  if (ownerId !== undefined && !editor.isAdmin)
    throw new AppError('forbidden', 'Only an admin gives a project to somebody.')
  if (typeof ownerId === 'string') await assertIsUser(ownerId)
  const config = await changeWidgetConfig(projectId, editor, expected, now, () => changes)
  if (ownerId === undefined) return toPublicConfig(projectId, config)
  const handedOver = await handOver(projectId, ownerId === null ? undefined : new ObjectId(ownerId), now)
  return toPublicConfig(projectId, handedOver)
}

async function assertIsUser(ownerId: string): Promise<void> {
  const user = await findUser(ownerId)
  if (!user || user.status === 'deleted') throw invalidField('ownerId', 'must be the id of a user')
}

/**
 * The project of a change without an editor, whose pages alone may suggest it. Undefined where it is no suggestion
 * and is refused in any case: an old dashboard, on whatever site, has to read that its token has ended.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function projectOfSuggestion(
  projectId: string,
  input: WidgetConfigInput,
): Promise<Project | undefined> {
  return isSuggestion(input) ? findProject(projectId) : undefined
}

/** Whether a change is what old widgets send without a key: `propertyInfo` and nothing else. */
function isSuggestion(input: WidgetConfigInput): input is { propertyInfo: PropertyInfo } {
  return input.propertyInfo !== undefined && Object.keys(input).length === 1
}

/**
 * Saves for an editor; without one, keeps what is a suggestion for the project's owner.
 *
 * @throws {AppError} `unauthenticated` for anything else without an editor, and as `saveWidgetConfig` does.
 */
export async function saveOrSuggest(
  projectId: string,
  input: WidgetConfigInput,
  editor: Editor | undefined,
  now: Date,
  expected?: ExpectedRevision,
): Promise<PublicWidgetConfig> {
  if (editor) return saveWidgetConfig(projectId, input, editor, now, expected)
  if (!isSuggestion(input)) throw new AppError('unauthenticated')
  return suggestPropertyInfo(projectId, input.propertyInfo, now)
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

/**
 * Changes what an editor may change, as a new revision. Writes over exactly what it read; when another change got
 * ahead of it, reads again.
 *
 * @param expected which revisions the change may be made from, where its client says so.
 * @param mode whether settings that the changes do not name stay or go.
 * @throws {AppError} as `saveWidgetConfig` does.
 */
export async function changeWidgetConfig(
  projectId: string,
  editor: Editor,
  expected: ExpectedRevision | undefined,
  now: Date,
  changesFor: (current: WidgetConfig | null) => Changes,
  mode: 'merge' | 'replace' = 'merge',
): Promise<WidgetConfig> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const current = await (await widgetConfigs.open()).findOne({ projectId })
    if (current && !editor.mayEdit(current)) throw new AppError('not_found')
    if (!isExpected(current, expected))
      throw new AppError('conflict', 'The configuration was changed meanwhile: read it again.')
    const changes = changesFor(current)
    const kept = current?.domains ?? []
    const added = changes.domains?.filter(domain => !kept.includes(domain)) ?? []
    await assertNamesNoOther(projectId, added, editor)
    const written = current
      ? await replace(current, changes, mode, editor, now)
      : await create(projectId, changes, editor, now)
    if (written) return written
  }
  throw new AppError('conflict', 'The configuration is being changed by others: try again.')
}

/**
 * A project that is named after a domain has it as much as one that lists it: widgets find it by either. And they do so
 * before anybody has configured it: who lists a domain gets what is captured there from then on.
 */
async function assertNamesNoOther(
  projectId: string,
  domains: readonly string[],
  editor: Editor,
): Promise<void> {
  const names = domains.flatMap(namesAfter).filter(name => name !== projectId)
  if (names.length === 0 || editor.mayClaim) return
  if (await areTaken(names, editor)) throw domainTaken()
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
    // As if it changed hands: captures that found no project here may be about to write for nobody.
    ...(editor.ownerId && { ownerId: editor.ownerId, ownerChangedAt: now }),
    revision: 1,
    createdAt: now,
    updatedAt: now,
  }
  const configs = await widgetConfigs.openGuarded()
  if (await unlessTaken(() => configs.insertOne(config))) return config
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
  const written = await unlessTaken(() =>
    configs.findOneAndUpdate(
      // Still the document that the editor may change: a project that changed hands is another's by now.
      { _id, revision: current.revision ?? null, ownerId: current.ownerId ?? null } as Filter<WidgetConfig>,
      {
        $set: { ...defined(changes), revision: revision + 1, updatedAt: now },
        $push: { revisions: { $each: [before], $slice: -KEPT_REVISIONS } },
        ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map(field => [field, ''])) }),
      },
      { returnDocument: 'after' },
    ),
  )
  if (written === undefined) throw domainTaken()
  return written ?? undefined
}

const SETTINGS = Object.keys(Settings.shape) as (keyof Settings)[]

/** A document of the old store may have no domains. */
function settingsOf(config: WidgetConfig): Settings {
  const set = SETTINGS.filter(field => config[field] !== undefined).map(field => [field, config[field]])
  return { domains: [], ...Object.fromEntries(set) }
}

function isExpected(current: WidgetConfig | null, expected: ExpectedRevision | undefined): boolean {
  if (expected === undefined) return true
  return expected === 'any' ? current !== null : expected.includes(revisionOf(current ?? {}))
}

/** A document of the old store counts no changes. */
function revisionOf(config: { revision?: number }): number {
  return config.revision ?? 0
}

function defined(changes: Changes): Partial<Settings> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
}

function domainTaken(): AppError {
  return new AppError('conflict', 'A domain belongs to another project.', {
    details: [{ path: 'domains', message: 'belongs to another project' }],
  })
}
