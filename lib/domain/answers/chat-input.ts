import { z } from 'zod'
import { CapturedConversation, type PublicMessage, toPublicMessages } from '../chats/messages.js'
import { looseText } from '../leads/captured-input.js'

const MAX_QUESTION = 1_000
const MAX_HISTORY = 10
const MAX_HISTORY_TEXT = 600

/** Something that the visitor picked in the widget: the label of a button, a number of bedrooms. */
const Choice = looseText.transform(text => text?.slice(0, 100))

/**
 * A visitor's question as the widget sends it. Only the question has to be there; of the conversation before it the
 * last 10 messages are kept, and every text is cut.
 */
export const ChatInput = z.object({
  message: looseText
    .transform(text => text?.slice(0, MAX_QUESTION) ?? '')
    .refine(text => text !== '', 'is required'),
  conversation: CapturedConversation.transform((messages): PublicMessage[] =>
    toPublicMessages(messages.slice(-MAX_HISTORY)).map(message => ({
      ...message,
      text: message.text.slice(0, MAX_HISTORY_TEXT),
    })),
  ),
  projectId: looseText,
  microsite: looseText.transform(text => text?.slice(0, 200)),
  selectedCta: Choice,
  selectedBhk: Choice,
  /** What the widget knows of the property. It had it from us, but may send anything. */
  propertyInfo: z.record(z.string(), z.unknown()).catch({}),
})
export type ChatInput = z.infer<typeof ChatInput>
