import { plainText } from './plain-text.js'
import { type ModelAnswer, ModelFailure, type Prompt } from './prompt.js'

/** A model and the way to it: OpenAI's, or that of anybody who speaks its chat completions. */
interface ModelServer {
  apiKey: string
  /** With the version, without a slash at the end: `https://api.openai.com/v1`. */
  baseUrl: string
  model: string
}

/** Three short sentences, in a script that takes several tokens a word too. */
const MAX_OUTPUT_TOKENS = 300
const MAX_ANSWER_CHARACTERS = 1_200

/** A visitor waits for it: for both attempts together. */
const ANSWER_TIMEOUT_MS = 8_000

/**
 * Asks a model, and at once again where the provider broke down or cannot be reached. One that asks for patience
 * (429) is not asked again: the visitor has none.
 *
 * @throws {ModelFailure} when there is no answer in time, or none that can be shown.
 */
export async function askModel(
  prompt: Prompt,
  server: ModelServer,
  timeoutMs: number = ANSWER_TIMEOUT_MS,
): Promise<ModelAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await attempt(prompt, server, timeout)
  } catch (error) {
    if (!(error instanceof ModelFailure && error.mayPass) || timeout.aborted) throw error
  }
  return attempt(prompt, server, timeout)
}

async function attempt(
  prompt: Prompt,
  { apiKey, baseUrl, model }: ModelServer,
  timeout: AbortSignal,
): Promise<ModelAnswer> {
  // Loaded by the first question: without a key the function answers by rule and never needs it.
  const [{ APICallError, generateText }, { createOpenAI }] = await Promise.all([
    import('ai'),
    import('@ai-sdk/openai'),
  ])
  try {
    const { text, finishReason, response } = await generateText({
      model: createOpenAI({ apiKey, baseURL: baseUrl }).chat(model),
      system: wholeCharacters(prompt.system),
      messages: prompt.messages.map(({ role, content }) => ({ role, content: wholeCharacters(content) })),
      maxOutputTokens: MAX_OUTPUT_TOKENS,
      maxRetries: 0,
      abortSignal: timeout,
    })
    const plain = plainText(text, MAX_ANSWER_CHARACTERS)
    if (finishReason === 'content-filter') throw new ModelFailure('the provider held it back')
    if (plain === '') throw new ModelFailure('it was empty')
    return { text: plain, model: response.modelId }
  } catch (error) {
    if (error instanceof ModelFailure) throw error
    if (timeout.aborted) throw new ModelFailure('it took too long')
    if (!APICallError.isInstance(error)) throw new ModelFailure(`it cannot be read (${nameOf(error)})`)
    const { statusCode: status } = error
    if (status === undefined) throw new ModelFailure('the provider cannot be reached', true)
    throw new ModelFailure(
      status < 400 ? 'it cannot be read' : `the provider answered ${status}`,
      status >= 500,
    )
  }
}

/** A text without the half of a character that a cut may leave: providers may refuse JSON with one. */
function wholeCharacters(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '')
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
