import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface Options {
  /** The scenarios to run, in their order. */
  scenarios: string[]
  rounds: number
  /** Length of one slice of load, in seconds. */
  seconds: number
  /** How many rows there are, ascending: growth is from the first to the others. */
  sizes: number[]
  /** Of the growth of reads, only those whose title contains one of these. */
  reads: string[] | undefined
  keep: boolean
  json: string | undefined
  profile: string | undefined
  allowRemote: boolean
}

const DEFAULT_ROUNDS = 20
const DEFAULT_SECONDS = 0.4
const DEFAULT_SIZES = '1000,100000'
const MIN_SIZE = 1_000

/** What `--help` prints. */
export function helpText(summaries: ReadonlyMap<string, string>): string {
  const width = Math.max(...[...summaries.keys()].map(name => name.length))
  const scenarios = [...summaries].map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)
  return `npm run bench -- [options]

Compares the product with the bare driver, with itself over more rows, and with Express and Mongoose (bench/baseline), on
one database: MONGO_URI, or the embedded database without it.
Everything is stored in databases of its own (leadline-bench-…), which are dropped at the end, unless --keep.

  --only a,b       only these scenarios
  --rounds N       rounds of each comparison (${DEFAULT_ROUNDS})
  --seconds S      length of one slice of load (${DEFAULT_SECONDS})
  --sizes A,B      how many rows there are (${DEFAULT_SIZES}); the embedded database has no room for search in a million
  --reads A,B      of the growth of reads, only those with one of these in their titles
  --keep           leave the databases of --sizes (leadline-bench-kept-…) for the next run
  --json FILE      write the results there too
  --profile DIR    leave a processor profile of each server there (slows them down)
  --allow-remote   load a MONGO_URI that is not on this machine

Scenarios:
${scenarios.join('\n')}`
}

/**
 * Reads the command line; undefined where it asks for help.
 *
 * @throws {Error} saying which option is wrong.
 */
export function readOptions(args: readonly string[], known: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: known.join(',') },
      rounds: { type: 'string', default: String(DEFAULT_ROUNDS) },
      seconds: { type: 'string', default: String(DEFAULT_SECONDS) },
      sizes: { type: 'string', default: DEFAULT_SIZES },
      reads: { type: 'string' },
      keep: { type: 'boolean', default: false },
      json: { type: 'string' },
      profile: { type: 'string' },
      'allow-remote': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const scenarios = values.only.split(',')
  const unknown = scenarios.filter(name => !known.includes(name))
  if (unknown.length > 0)
    throw new Error(`--only ${unknown.join(',')}: the scenarios are ${known.join(', ')}`)
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1')
  const seconds = Number(values.seconds)
  if (!(seconds >= 0.1 && seconds <= 60)) throw new Error('--seconds takes a number from 0.1 to 60')
  const sizes = values.sizes.split(',').map(Number)
  const ascend = sizes.every((size, i) => Number.isInteger(size) && size > (sizes[i - 1] ?? MIN_SIZE - 1))
  if (!ascend) throw new Error(`--sizes takes whole numbers from ${MIN_SIZE}, the smallest first`)
  const { keep, json, profile, 'allow-remote': allowRemote } = values
  const reads = values.reads?.split(',')
  return { scenarios, rounds, seconds, sizes, reads, keep, json, profile, allowRemote }
}
