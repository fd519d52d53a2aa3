import { Agent, request } from 'node:http'
import { type FilledRequest, type RequestTemplate, requestsOf } from './request-template.js'
import { answerParent } from './worker.js'

/** A stretch of load on one server: so many clients, each sending its next request when it has its answer. */
export interface Slice {
  port: number
  template: RequestTemplate
  clients: number
  milliseconds: number
}

export interface SliceResult {
  /**
   * Of each request that counts, from sending it to the last byte of its answer, in milliseconds. Here and below, a
   * request with those that it goes after is one.
   */
  latencies: Float64Array
  /** How long these took together. */
  elapsedMs: number
  /** All requests, with those that do not count. */
  requests: number
}

/**
 * At the start of a slice connections are opened and the caches of the processor belong to the server that had
 * its turn before: this part of it does not count.
 */
const LEAD_IN = 0.1

/**
 * Loads a server for one slice.
 *
 * @throws {Error} at the first answer that is not the expected one: a fast refusal must not count as a request.
 */
async function load({ port, template, clients, milliseconds }: Slice): Promise<SliceResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const next = requestsOf(template)
  const start = performance.now()
  const countFrom = start + milliseconds * LEAD_IN
  const end = start + milliseconds
  const latencies: number[] = []
  let requests = 0

  async function client(): Promise<void> {
    for (;;) {
      const series = next()
      const sent = performance.now()
      if (sent >= end && latencies.length > 0) return
      for (const filled of series) {
        expectStatus(filled, await send(agent, port, filled))
      }
      requests += 1
      if (sent >= countFrom) latencies.push(performance.now() - sent)
    }
  }

  try {
    await Promise.all(Array.from({ length: clients }, client))
    return { latencies: Float64Array.from(latencies), elapsedMs: performance.now() - countFrom, requests }
  } finally {
    agent.destroy()
  }
}

/** Requests that are all sent at once. */
export interface Burst {
  port: number
  template: RequestTemplate
  requests: number
}

/**
 * Sends a burst.
 *
 * @throws {Error} at the first answer that is not the expected one.
 */
async function burst({ port, template, requests }: Burst): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const next = requestsOf(template)
  const sendSeries = async () => {
    for (const filled of next()) expectStatus(filled, await send(agent, port, filled))
  }
  try {
    await Promise.all(Array.from({ length: requests }, sendSeries))
  } finally {
    agent.destroy()
  }
}

function expectStatus({ method, path, expects }: FilledRequest, { status, text }: Answer): void {
  if (status !== expects) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`)
}

interface Answer {
  status: number | undefined
  /** Of an error. */
  text: string
}

function send(agent: Agent, port: number, { method, path, headers, body }: FilledRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sending = request({ agent, host: '127.0.0.1', port, method, path, headers }, response => {
      const chunks: Buffer[] = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const status = response.statusCode
        resolve({
          status,
          text: status === undefined || status >= 300 ? Buffer.concat(chunks).toString() : '',
        })
      })
    })
    sending.on('error', reject)
    sending.end(body)
  })
}

const methods = { load, burst }
export type LoadMethods = typeof methods
answerParent(methods)
