import { inTurns, ratioInRounds } from './in-turns.js'
import type { LoadMethods } from './load.js'
import type { Worker } from './processes.js'
import type { RequestTemplate } from './request-template.js'
import type { Vitals } from './servers/vitals.js'
import { quantile, type Spread, spread } from './statistics.js'

/** How long a server is loaded before its first slice, for the compiler of its engine. */
const WARM_UP_MS = 2_000

/** A running server process. */
export interface Server extends Vitals {
  port: number
  stop(): Promise<void>
}

/** One thing that is measured: requests of a kind at a server. */
export interface Variant {
  name: string
  server: Server
  template: RequestTemplate
}

/** Variants that are measured in turns, so that what slows the machine down slows down all of them. */
export interface Comparison {
  title: string
  /** How many clients there are, each sending its next request when it has its answer. */
  clients: number
  variants: readonly Variant[]
  ratios: readonly RatioOf[]
}

/** A ratio of two variants, by their names. */
export interface RatioOf {
  label: string
  of: string
  to: string
  /** The largest ratio of times that we want to see. */
  aim?: number
  /** The smallest ratio of requests a second that we want to see. */
  throughputAim?: number
}

/** One variant over all rounds. Latencies are of all its requests, in milliseconds. */
export interface Measured {
  name: string
  requests: number
  p50: number
  p95: number
  requestsPerSecond: Spread
  /** Processor time of the server for one request, in milliseconds. */
  cpuMs: Spread
}

/** Two variants compared. Each round gives one ratio of each kind; these are what the rounds gave. */
export interface Ratio extends RatioOf {
  /** Of the median latencies. */
  time: Spread
  requestsPerSecond: Spread
  /** Of the servers' processor time for one request. */
  cpu: Spread
}

export interface ComparisonResult {
  title: string
  clients: number
  measured: Measured[]
  ratios: Ratio[]
}

interface Slice {
  latencies: Float64Array
  median: number
  requestsPerSecond: number
  cpuMs: number
}

/** Measures the variants of a comparison in rounds of one slice each. */
export async function compare(
  { title, clients, variants, ratios }: Comparison,
  load: Worker<LoadMethods>,
  { rounds, sliceSeconds, signal }: { rounds: number; sliceSeconds: number; signal: AbortSignal },
): Promise<ComparisonResult> {
  const measure = ({ server, template }: Variant, milliseconds = sliceSeconds * 1000) => {
    signal.throwIfAborted()
    return measureSlice(load, server, { template, clients, milliseconds })
  }

  for (const variant of variants) await measure(variant, WARM_UP_MS)
  const slices = await inTurns(variants, rounds, variant => measure(variant))
  return {
    title,
    clients,
    measured: [...slices].map(([name, taken]) => summarise(name, taken)),
    ratios: ratios.map(ratio => ({
      ...ratio,
      ...ratioOf(slices.get(ratio.of) ?? [], slices.get(ratio.to) ?? []),
    })),
  }
}

async function measureSlice(
  load: Worker<LoadMethods>,
  server: Server,
  slice: { template: RequestTemplate; clients: number; milliseconds: number },
): Promise<Slice> {
  const cpuBefore = await server.cpuMs()
  const { latencies, requests, elapsedMs } = await load.call('load', { port: server.port, ...slice })
  const cpuMs = ((await server.cpuMs()) - cpuBefore) / requests
  return {
    latencies,
    median: quantile(latencies, 0.5),
    requestsPerSecond: (latencies.length / elapsedMs) * 1000,
    cpuMs,
  }
}

function summarise(name: string, slices: readonly Slice[]): Measured {
  const latencies = slices.flatMap(slice => [...slice.latencies])
  return {
    name,
    requests: latencies.length,
    p50: quantile(latencies, 0.5),
    p95: quantile(latencies, 0.95),
    requestsPerSecond: spread(slices.map(slice => slice.requestsPerSecond)),
    cpuMs: spread(slices.map(slice => slice.cpuMs)),
  }
}

function ratioOf(
  of: readonly Slice[],
  to: readonly Slice[],
): Pick<Ratio, 'time' | 'requestsPerSecond' | 'cpu'> {
  return {
    time: ratioInRounds(of, to, slice => slice.median),
    requestsPerSecond: ratioInRounds(of, to, slice => slice.requestsPerSecond),
    cpu: ratioInRounds(of, to, slice => slice.cpuMs),
  }
}
