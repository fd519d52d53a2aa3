/** What a model is asked. */
export interface Prompt {
  /** Our instructions, with nothing in them that a visitor wrote. */
  system: string
  /** The conversation, the question to be answered last. */
  messages: readonly { role: 'user' | 'assistant'; content: string }[]
}

/** What a model said, in plain text, and which model it was. */
export interface ModelAnswer {
  text: string
  model: string
}

/**
 * A model that gave no answer. Says what happened in words of ours: a provider's own sentence may quote the
 * conversation, and part of the key.
 */
export class ModelFailure extends Error {
  /** Asking again may help. */
  readonly mayPass: boolean

  constructor(reason: string, mayPass = false) {
    super(`The model gave no answer: ${reason}.`)
    this.name = 'ModelFailure'
    this.mayPass = mayPass
  }
}
