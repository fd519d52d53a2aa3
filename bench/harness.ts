import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { AccessClaims } from '../lib/auth/tokens.js'
import type { BuiltFunction } from '../scripts/verify/build-function.js'
import { buildOutside } from './built-function.js'
import type { BenchDatabase, Deployment } from './database.js'
import { compareFigures, type FiguresComparison } from './figures.js'
import type { Burst, LoadMethods } from './load.js'
import { type Comparison, compare, type Server } from './pairing.js'
import { startWorker, type Worker } from './processes.js'
import type { Result } from './report.js'
import type { RequestTemplate } from './request-template.js'
import type { ColdStart, ColdStartMethods } from './servers/cold-start.js'
import type { DriverMethods } from './servers/driver.js'
import type { HandlerMethods, HandlerOptions } from './servers/handler.js'
import type { Recorded, RecorderMethods, SentWork } from './servers/recorder.js'
import type { TokensMethods } from './servers/tokens.js'
import type { vitals } from './servers/vitals.js'
import type { Methods } from './worker.js'

/** What a scenario works with. Whatever it starts or creates ends with the run. */
export interface Bench {
  deployment: Deployment
  /** How many rows there are to be, ascending. */
  sizes: readonly number[]
  /** Of the growth of reads, only those whose title contains one of these. */
  reads: readonly string[] | undefined
  /** The `Authorization` of an operator at every handler. */
  authorization: string
  /** The `Authorization` of a user's session, at every handler whose database has both. */
  signIn(claims: AccessClaims): Promise<string>
  /** Serves a route of the product (`api/leads/index.ts`), or the baseline, by its file, over a database. */
  startHandler(file: string, database: BenchDatabase, options?: HandlerOptions): Promise<Server>
  /** Records what a route sends to the database for requests like this one. */
  record(file: string, database: BenchDatabase, template: RequestTemplate): Promise<Recorded>
  /** Records what the baseline sends to the database for requests like this one. */
  recordBaseline(file: string, database: BenchDatabase, template: RequestTemplate): Promise<SentWork>
  /** Serves recorded requests by the bare driver. */
  startDriver(database: BenchDatabase, recorded: readonly Recorded[]): Promise<Server>
  /** Builds a file as Vercel would deploy it as a function, with files that its builder does not find by itself. */
  buildFunction(file: string, includeFiles?: readonly string[]): Promise<BuiltFunction>
  /** Starts a built function in a new process, which ends once it has answered one request. */
  startCold(built: BuiltFunction, database: BenchDatabase, template: RequestTemplate): Promise<TimedColdStart>
  /** Sends requests to a server at once, and waits for the answers. */
  burst(server: Server, burst: Omit<Burst, 'port'>): Promise<void>
  /** Measures requests, and reports. */
  compare(comparison: Comparison): Promise<void>
  /** Measures anything else, and reports. */
  compareFigures(comparison: FiguresComparison): Promise<void>
  /** Aborted when the run is interrupted: whatever takes long looks at it now and then. */
  signal: AbortSignal
  /** Tells the person who waits what is going on. */
  say(text: string): void
}

/** A cold start, with the time from before the process was there until its answer was, in milliseconds. */
export interface TimedColdStart extends ColdStart {
  totalMs: number
}

/** One file of `bench/scenarios`: its default export. */
export interface Scenario {
  /** One line for `--help`. */
  summary: string
  run(bench: Bench): Promise<void>
}

export interface HarnessOptions {
  /** Where the built sources are. */
  root: string
  deployment: Deployment
  rounds: number
  sliceSeconds: number
  sizes: readonly number[]
  reads: readonly string[] | undefined
  /** Where servers leave their processor profiles; without it they make none. */
  profileDirectory: string | undefined
  signal: AbortSignal
  report(result: Result): unknown
  say(text: string): void
}

/** Starts the load process and makes what scenarios work with. */
export function startHarness(options: HarnessOptions): { bench: Bench; stop(): Promise<void> } {
  const { root, deployment, sizes, reads, profileDirectory, signal, report, say } = options
  const adminToken = randomBytes(24).toString('hex')
  const authSecret = randomBytes(24).toString('hex')
  const stops: (() => Promise<void>)[] = []

  function start<M extends Methods>(
    module: string,
    env: Record<string, string> = {},
    nodeOptions: readonly string[] = [],
  ): Worker<M> {
    const worker = startWorker<M>(root, module, { env, nodeOptions })
    stops.push(worker.stop)
    return worker
  }

  const profiling = profileDirectory ? ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`] : []
  // As a preview is deployed: limits cannot be scaled in production.
  const functionEnv = (uri: string) => ({
    NODE_ENV: 'production',
    VERCEL_ENV: 'preview',
    MONGO_URI: uri,
    ADMIN_TOKEN: adminToken,
    AUTH_SECRET: authSecret,
    RATE_LIMIT_SCALE: '1000000',
    LOG_LEVEL: 'silent',
  })
  const load = start<LoadMethods>('bench/load.js')

  function startRecorder({ uri }: BenchDatabase): Worker<RecorderMethods> {
    const monitored = `${uri}${uri.includes('?') ? '&' : '?'}monitorCommands=true`
    return start('bench/servers/recorder.js', functionEnv(monitored))
  }

  const bench: Bench = {
    deployment,
    sizes,
    reads,
    authorization: `Bearer ${adminToken}`,
    signal,
    say,
    async signIn(claims) {
      const worker = start<TokensMethods>('bench/servers/tokens.js', { AUTH_SECRET: authSecret })
      const token = await worker.call('sign', claims)
      await worker.stop()
      return `Bearer ${token}`
    },
    async startHandler(file, { uri }, options = {}) {
      const worker = start<HandlerMethods>('bench/servers/handler.js', functionEnv(uri), profiling)
      return serverOf(worker, await worker.call('start', { file: builtFile(file), ...options }))
    },
    async record(file, database, template) {
      const worker = startRecorder(database)
      const recorded = await worker.call('record', { file: builtFile(file), template })
      await worker.stop()
      return recorded
    },
    async recordBaseline(file, database, template) {
      const worker = startRecorder(database)
      const work = await worker.call('recordBaseline', { file: builtFile(file), template })
      await worker.stop()
      return work
    },
    async startDriver({ uri }, recorded) {
      const worker = start<DriverMethods>('bench/servers/driver.js', {}, profiling)
      return serverOf(worker, await worker.call('start', { uri, recorded }))
    },
    async buildFunction(file, includeFiles = []) {
      const { built, remove } = await buildOutside(file, includeFiles)
      stops.push(remove)
      return built
    },
    async startCold({ directory, handler }, { uri }, template) {
      signal.throwIfAborted()
      const startedAt = performance.now()
      const worker = startWorker<ColdStartMethods>(root, 'bench/servers/cold-start.js', {
        env: functionEnv(uri),
        nodeOptions: profiling,
        sourceMaps: false,
      })
      try {
        const port = await worker.call('start', join(directory, handler))
        await load.call('burst', { port, template, requests: 1 })
        const totalMs = performance.now() - startedAt
        return { ...(await worker.call('measured')), totalMs }
      } finally {
        await worker.stop()
      }
    },
    burst: ({ port }, burst) => load.call('burst', { port, ...burst }),
    async compare(comparison) {
      say(`${comparison.title} …`)
      report(await compare(comparison, load, options))
    },
    async compareFigures(comparison) {
      say(`${comparison.title} …`)
      report(await compareFigures(comparison, options))
    },
  }
  return {
    bench,
    async stop() {
      await Promise.all(stops.map(stop => stop()))
    },
  }
}

function serverOf(worker: Worker<typeof vitals>, port: number): Server {
  return {
    port,
    cpuMs: () => worker.call('cpuMs'),
    settle: () => worker.call('settle'),
    holdUntil: requests => worker.call('holdUntil', requests),
    stop: worker.stop,
  }
}

function builtFile(file: string): string {
  return file.replace(/\.ts$/, '.js')
}
