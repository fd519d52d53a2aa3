import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cpuMs } from '../worker.js'
import { holdUntil, inFlight } from './http.js'

/** Memory of a process, in bytes. */
export interface Memory {
  /** All of it, and what its objects are, once nothing is going on and garbage is gone. */
  rss: number
  heap: number
  /** The most that all of it ever was, as the system counts, and the most that objects were since it last settled. */
  peakRss: number
  peakHeap: number
}

/** What may be asked of a running server. */
export interface Vitals {
  /** Processor time that the process has used so far, in milliseconds. */
  cpuMs(): Promise<number>
  /** Holds back requests until there are so many, and lets them go all at once. */
  holdUntil(requests: number): Promise<void>
  /** Waits until nothing is going on, after the answers too, and returns the memory that is left and was used. */
  settle(): Promise<Memory>
}

const SAMPLE_MS = 5
/** A process that uses less processor time than this part of the time does nothing but keep its connections. */
const IDLE = 0.05
const QUIET_MS = 500
const PATIENCE_MS = 120_000

let peakHeap = 0
let sampling: NodeJS.Timeout | undefined

async function settle(): Promise<Memory> {
  const end = performance.now() + PATIENCE_MS
  while (!(await isQuiet()))
    if (performance.now() > end) throw new Error(`still busy after ${PATIENCE_MS / 1000} s`)
  clearInterval(sampling)
  collectGarbage()
  const { rss, heapUsed: heap } = process.memoryUsage()
  const memory = { rss, heap, peakRss: process.resourceUsage().maxRSS * 1024, peakHeap }
  peakHeap = heap
  sampling = setInterval(sampleHeap, SAMPLE_MS)
  return memory
}

async function isQuiet(): Promise<boolean> {
  const before = cpuMs()
  await delay(QUIET_MS)
  return inFlight() === 0 && cpuMs() - before < QUIET_MS * IDLE
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  collect()
}

function sampleHeap(): void {
  peakHeap = Math.max(peakHeap, process.memoryUsage().heapUsed)
}

export const vitals = { cpuMs, holdUntil, settle }
