import { z } from 'zod'
import { configuredModel } from '../../ai/model.js'
import type { FoundWidgetConfig } from '../widgets/widget-configs.js'
import { answerByRule } from './answer-rules.js'
import { takeModelAnswer } from './chat-budget.js'
import type { ChatInput } from './chat-input.js'
import { readIntents } from './chat-intents.js'
import { writePrompt } from './chat-prompt.js'
import { readFacts, saysNothing } from './property-facts.js'

export const ChatAnswer = z.object({
  response: z.string().min(1),
  /** Whether a model said it. */
  aiUsed: z.boolean(),
  /** It was made by rule. */
  fallback: z.literal(true).optional(),
  model: z.string().optional(),
  /** The visitor wants a person: the widget shows its form. */
  action: z.literal('request_lead_details').optional(),
})
export type ChatAnswer = z.infer<typeof ChatAnswer>

/** Who asks, for the budget, and where a model's failure is told. */
interface Asking {
  network: string
  now: Date
  logFailure(failure: unknown): void
}

/**
 * Answers a visitor: by the model where one is configured and the day's budget allows it, else by rule. Whatever
 * goes wrong there is an answer. What the visitor wants is read by rule in either case, so that a model can neither
 * withhold the form nor force it on anybody.
 */
export async function answerChat(
  input: ChatInput,
  project: FoundWidgetConfig,
  asking: Asking,
): Promise<ChatAnswer> {
  const { agentName, phonePrompt, propertyInfo } = project.config
  const stored = saysNothing(propertyInfo) ? undefined : propertyInfo
  const action = readIntents(input).wants && ({ action: 'request_lead_details' } as const)

  const ask = configuredModel()
  // While the database is away nothing can be counted, and the project's own facts may be missing.
  if (ask && !project.stale && (await takeModelAnswer(budgetOf(project), asking.network, asking.now))) {
    try {
      const { text, model } = await ask(writePrompt(input, { agentName, stored }))
      return { response: text, aiUsed: true, model, ...action }
    } catch (failure) {
      asking.logFailure(failure)
    }
  }
  const facts = readFacts(stored ?? input.propertyInfo)
  const response = answerByRule({ input, facts, agentName, phonePrompt })
  return { response, aiUsed: false, fallback: true, ...action }
}

const budgetOf = ({ config, isStored }: FoundWidgetConfig) => ({ projectId: config.projectId, isStored })
