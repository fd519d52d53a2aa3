import { env } from '../env.js'
import { askModel } from './openai.js'
import type { ModelAnswer, Prompt } from './prompt.js'

export type { Prompt } from './prompt.js'

/** Asks the model of this deployment. Undefined where none is configured. */
export function configuredModel(): ((prompt: Prompt) => Promise<ModelAnswer>) | undefined {
  const { openaiApiKey: apiKey, openaiBaseUrl: baseUrl, chatModel: model } = env()
  if (apiKey === undefined) return undefined
  return prompt => askModel(prompt, { apiKey, baseUrl, model })
}
