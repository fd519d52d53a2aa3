import { randomBytes } from 'node:crypto'
import type { AccessClaims } from '../lib/auth/tokens.js'
import type { BenchDatabase, Deployment } from './database.js'
import type { LoadMethods } from './load.js'
import { type Comparison, type ComparisonResult, compare, type Server } from './pairing.js'
import { startWorker, type Worker } from './processes.js'
import type { RequestTemplate } from './request-template.js'
import type { DriverMethods } from './servers/driver.js'
import type { HandlerMethods } from './servers/handler.js'
import type { Recorded, RecorderMethods } from './servers/recorder.js'
import type { TokensMethods } from './servers/tokens.js'
import type { Methods } from './worker.js'

/** What a scenario works with. Whatever it starts or creates ends with the run. */
export interface Bench {
  deployment: Deployment
  /** How many rows there are to be, ascending. */
  sizes: readonly number[]
  /** The `Authorization` of an operator at every handler. */
  authorization: string
  /** The `Authorization` of a user's session, at every handler whose database has both. */
  signIn(claims: AccessClaims): Promise<string>
  /** Serves a route of the product, by its file (`api/leads/index.ts`), over a database. */
  startHandler(file: string, database: BenchDatabase): Promise<Server>
  /** Records what a route sends to the database for requests like this one. */
  record(file: string, database: BenchDatabase, template: RequestTemplate): Promise<Recorded>
  /** Serves recorded requests by the bare driver. */
  startDriver(database: BenchDatabase, recorded: readonly Recorded[]): Promise<Server>
  /** Measures, and reports. */
  compare(comparison: Comparison): Promise<void>
  /** Aborted when the run is interrupted: whatever takes long looks at it now and then. */
  signal: AbortSignal
  /** Tells the person who waits what is going on. */
  say(text: string): void
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
  /** Where servers leave their processor profiles; without it they make none. */
  profileDirectory: string | undefined
  signal: AbortSignal
  report(result: ComparisonResult): unknown
  say(text: string): void
}

/** Starts the load process and makes what scenarios work with. */
export function startHarness(options: HarnessOptions): { bench: Bench; stop(): Promise<void> } {
  const { root, deployment, sizes, profileDirectory, signal, report, say } = options
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
  const productEnv = (uri: string) => ({
    MONGO_URI: uri,
    ADMIN_TOKEN: adminToken,
    AUTH_SECRET: authSecret,
    RATE_LIMIT_SCALE: '1000000',
    LOG_LEVEL: 'silent',
  })
  const load = start<LoadMethods>('bench/load.js')

  const bench: Bench = {
    deployment,
    sizes,
    authorization: `Bearer ${adminToken}`,
    signal,
    say,
    async signIn(claims) {
      const worker = start<TokensMethods>('bench/servers/tokens.js', { AUTH_SECRET: authSecret })
      const token = await worker.call('sign', claims)
      await worker.stop()
      return `Bearer ${token}`
    },
    async startHandler(file, { uri }) {
      const worker = start<HandlerMethods>('bench/servers/handler.js', productEnv(uri), profiling)
      const port = await worker.call('start', builtFile(file))
      return { port, cpuMs: () => worker.call('cpuMs'), stop: worker.stop }
    },
    async record(file, { uri }, template) {
      const monitored = `${uri}${uri.includes('?') ? '&' : '?'}monitorCommands=true`
      const worker = start<RecorderMethods>('bench/servers/recorder.js', productEnv(monitored))
      const recorded = await worker.call('record', { file: builtFile(file), template })
      await worker.stop()
      return recorded
    },
    async startDriver({ uri }, recorded) {
      const worker = start<DriverMethods>('bench/servers/driver.js', {}, profiling)
      const port = await worker.call('start', { uri, recorded })
      return { port, cpuMs: () => worker.call('cpuMs'), stop: worker.stop }
    },
    async compare(comparison) {
      say(`${comparison.title} …`)
      report(await compare(comparison, load, options))
    },
  }
  return {
    bench,
    async stop() {
      await Promise.all(stops.map(stop => stop()))
    },
  }
}

function builtFile(file: string): string {
  return file.replace(/\.ts$/, '.js')
}
