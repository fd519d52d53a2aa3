import { z } from 'zod'
import { CapturedConversation } from '../../lib/domain/chats/messages.js'
import { CapturedFreeForm } from '../../lib/domain/free-form.js'

/** Widgets send some of these as numbers; what is neither that nor text counts as not given. */
const text = z
  .union([z.string(), z.number()])
  .optional()
  .catch(undefined)
  .transform(value => (value === undefined ? undefined : String(value).trim() || undefined))

/** A lead as a widget submits it. */
export const LeadInput = z.object({
  phone: text,
  bhk: text,
  bhkType: text,
  microsite: text,
  metadata: CapturedFreeForm,
  conversation: CapturedConversation,
  website: text,
})
export type LeadInput = z.infer<typeof LeadInput>
