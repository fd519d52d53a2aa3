import { z } from 'zod'
import { patiently } from '../../db/patience.js'
import { CapturedConversation, IdentifiedConversation } from '../chats/messages.js'
import { CapturedFreeForm } from '../free-form.js'
import { hostOf } from '../widgets/hosts.js'
import {
  type FoundWidgetConfig,
  findProject,
  findProjectIdOfDomain,
  findWidgetConfig,
  PATIENCE_MS,
  type Project,
  ProjectId,
  UNNAMED_PROJECT,
} from '../widgets/widget-configs.js'

/** A scalar that old clients send as a text or as a number; empty, or of another type, counts as not given. */
export const looseText = z
  .union([z.string(), z.number()])
  .nullish()
  .catch(undefined)
  .transform(value => (value === null || value === undefined ? undefined : String(value).trim() || undefined))

/**
 * A lead as every generation of the widget submits it. What can be read is read and the rest is left out: a lead
 * is worth more than its form, and whether there is anything to follow up is decided when it is captured.
 */
export const LeadInput = z.object({
  phone: looseText.transform(text => text?.slice(0, 64)),
  bhk: looseText.transform(text =>
    text && /^\d{1,3}(\.\d)?$/.test(text) ? Number(text) : text?.slice(0, 200),
  ),
  bhkType: looseText.transform(text => text?.slice(0, 200)),
  microsite: looseText.transform(text => text?.slice(0, 200)),
  metadata: CapturedFreeForm,
  conversation: CapturedConversation,
  /** The honeypot: a field that pages hide, so that whoever fills it in is no person. */
  website: looseText,
})
export type LeadInput = z.infer<typeof LeadInput>

type NamesProject = Pick<LeadInput, 'microsite' | 'metadata'>

/** The id of the project that a submission names, else its microsite; undefined where it says neither. */
export function namedProjectIdOf(input: NamesProject): string | undefined {
  return ProjectId.safeParse(input.metadata.projectId).data ?? input.microsite
}

/**
 * The project that a submission belongs to: the one it names, else that of the domain of the page it came from, which
 * is a project of its own where nobody has it.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function findProjectOf(input: NamesProject, origin: string | null): Promise<Project> {
  return findProject(await findProjectIdOf(input, origin))
}

/**
 * The configuration of the same project. While the database is away: of the project that the submission or else the
 * page's host names, the last known or the defaults.
 */
export async function findConfigOf(input: NamesProject, origin: string | null): Promise<FoundWidgetConfig> {
  const projectId = await patiently(findProjectIdOf(input, origin), PATIENCE_MS)
  return findWidgetConfig(projectId ?? hostAsProjectId(origin) ?? UNNAMED_PROJECT)
}

async function findProjectIdOf(input: NamesProject, origin: string | null): Promise<string> {
  const named = namedProjectIdOf(input)
  if (named !== undefined) return named
  const host = hostAsProjectId(origin)
  return host === undefined ? UNNAMED_PROJECT : ((await findProjectIdOfDomain(host)) ?? host)
}

/** A browser's origin is a host that there is; what is none may have any length. */
function hostAsProjectId(origin: string | null): string | undefined {
  return ProjectId.safeParse(hostOf(origin ?? '')).data
}

/** A chat without a lead, or before one: what a lead may have, and the widget's own id of the chat. */
export const ChatSessionInput = LeadInput.extend({
  conversation: IdentifiedConversation,
  sessionId: looseText
    .refine(id => id === undefined || id.length <= 100, 'must have at most 100 characters')
    .refine(id => !id?.startsWith('lead:'), 'must not begin with lead:'),
})
export type ChatSessionInput = z.infer<typeof ChatSessionInput>
