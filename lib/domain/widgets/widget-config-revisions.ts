import type { ObjectId } from 'mongodb'
import { z } from 'zod'
import { AppError } from '../../errors.js'
import type { Editor } from './project-ownership.js'
import { changeWidgetConfig } from './widget-config-writes.js'
import { PublicWidgetConfig, toPublicConfig, type WidgetConfig, widgetConfigs } from './widget-configs.js'

/** How many projects of an export are read at a time: with its versions, one may be a megabyte. */
const EXPORT_BATCH = 8

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
  const config = await changeWidgetConfig(
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

export type RevisionList = z.infer<typeof RevisionList>

/**
 * The current configuration, what an old widget suggests, and the versions before, newest first.
 *
 * @throws {AppError} `not_found` for a project of somebody else.
 */
export async function listRevisions(projectId: string, editor: Editor): Promise<RevisionList> {
  const stored = await (await widgetConfigs.open()).findOne({ projectId })
  if (!stored || !editor.mayEdit(stored)) throw new AppError('not_found')
  return revisionsOf(stored)
}

/** The same of every project of an owner, as they are read. */
export async function* streamRevisions(ownerId: ObjectId): AsyncGenerator<RevisionList> {
  const configs = await widgetConfigs.open()
  for await (const stored of configs.find({ ownerId }).batchSize(EXPORT_BATCH)) yield revisionsOf(stored)
}

function revisionsOf(stored: WidgetConfig): RevisionList {
  const { projectId, suggestion, revisions = [] } = stored
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

/** A document without its settings, to show other ones in its place. */
function bare({ _id, projectId, revision, createdAt, updatedAt }: WidgetConfig) {
  return { _id, projectId, revision, createdAt, updatedAt }
}
