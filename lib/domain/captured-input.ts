import { z } from 'zod'
import { CapturedFreeForm } from './free-form.js'
import { hostOf } from './hosts.js'
import { CapturedConversation, IdentifiedConversation } from './messages.js'
import { ProjectId, UNNAMED_PROJECT } from './widget-configs.js'

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

/**
 * The project that a submission belongs to: the one it names, else its microsite, else the host of the page it
 * came from.
 */
export function projectIdOf(input: Pick<LeadInput, 'microsite' | 'metadata'>, origin: string | null): string {
  const named = ProjectId.safeParse(input.metadata.projectId)
  // A browser's origin is a host that there is; what is none may have any length.
  const host = ProjectId.safeParse(hostOf(origin ?? ''))
  return named.data ?? input.microsite ?? host.data ?? UNNAMED_PROJECT
}

/** A chat without a lead, or before one: what a lead may have, and the widget's own id of the chat. */
export const ChatSessionInput = LeadInput.extend({
  conversation: IdentifiedConversation,
  sessionId: looseText
    .refine(id => id === undefined || id.length <= 100, 'must have at most 100 characters')
    .refine(id => !id?.startsWith('lead:'), 'must not begin with lead:'),
})
export type ChatSessionInput = z.infer<typeof ChatSessionInput>
