import { answerParent, cpuMs } from '../worker.js'
import { loadListener } from './function.js'
import { listen } from './http.js'

/** How long the start of a function took, in milliseconds from the beginning of its import; and its process's work. */
export interface ColdStart {
  importMs: number
  firstAnswerMs: number
  cpuMs: number
}

let importMs = 0
let firstAnswerMs = 0

/** Imports a built function and serves it. The process has done nothing before. */
async function start(file: string): Promise<number> {
  const startedAt = performance.now()
  const listener = await loadListener(file)
  importMs = performance.now() - startedAt
  return listen((message, response) => {
    response.once('finish', () => {
      firstAnswerMs ||= performance.now() - startedAt
    })
    listener(message, response)
  })
}

function measured(): ColdStart {
  return { importMs, firstAnswerMs, cpuMs: cpuMs() }
}

const methods = { start, measured }
export type ColdStartMethods = typeof methods
answerParent(methods)
