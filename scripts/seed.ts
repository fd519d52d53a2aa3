import { z } from 'zod'
import { UsageError } from './dev/usage-error.js'
import { businesses, DEMO_PASSWORD } from './seed/cast.js'
import { type Demonstration, demonstrations } from './seed/demonstrations.js'
import { emailOf } from './seed/identities.js'
import { make, planned } from './seed/make.js'
import { remove } from './seed/remove.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { parseFlag } from './support/flags.js'
import { interruptible } from './support/interruption.js'
import { startProgress } from './support/progress.js'
import { tallyTable } from './support/table.js'
import { mayWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run seed --',
  summary:
    'Makes a demonstration on a database of this machine: accounts on each plan, widgets, visits, leads, calls.',
  flags: {
    seed: { type: 'string', value: 'N', help: 'another demonstration for each number (default 1)' },
    days: { type: 'string', value: 'N', help: 'how many days of visits (default 60)' },
    remove: { type: 'boolean', help: 'take away what it made' },
    apply: WRITE_FLAGS.apply,
  },
}

const Seed = z.coerce.number('must be a number').int().min(0).max(9_999)
const Days = z.coerce.number('must be a number').int().min(1).max(400)

/** Makes or removes a demonstration. There is no way to have one elsewhere than on this machine. */
export async function run(typed: Typed): Promise<void> {
  const seed = parseFlag(Seed, 'seed', typed.text('seed') ?? '1')
  const days = parseFlag(Days, 'days', typed.text('days') ?? '60')
  await withTarget(async target => {
    if (!target.local)
      throw new UsageError(
        `${target.description} is not on this machine: a demonstration is for local databases`,
      )
    const apply = await mayWrite(target, typed)
    const stored = await (await demonstrations.open()).findOne({ _id: seed })
    if (typed.has('remove')) return takeAway(stored, seed, apply)
    const fresh: Demonstration = { _id: seed, madeAt: new Date(), days, state: 'making' }
    await give(stored ?? fresh, stored !== null, apply, target)
  })
}

async function give(
  demonstration: Demonstration,
  isResumed: boolean,
  apply: boolean,
  target: Target,
): Promise<void> {
  const { _id, madeAt, state } = demonstration
  if (state === 'removing')
    throw new Error(`demonstration ${_id} is being removed: --remove --apply ends that first`)
  if (state === 'made') {
    console.error(`Demonstration ${_id} is there since ${madeAt.toISOString()}: nothing is made.`)
    return announce(_id)
  }
  if (apply) {
    const all = await demonstrations.open()
    if (!isResumed) await all.insertOne(demonstration)
    await makeWithProgress(demonstration, isResumed)
    await all.updateOne({ _id }, { $set: { state: 'made' } })
    console.error(`Demonstration ${_id} is in ${target.databaseName}.`)
    announce(_id)
  }
  console.log(tallyTable(planned(demonstration)))
}

async function makeWithProgress(demonstration: Demonstration, isResumed: boolean): Promise<void> {
  const progress = startProgress('visits and calls')
  try {
    await interruptible('The same command goes on from here.', signal =>
      make(demonstration, isResumed, progress.report, signal),
    )
  } finally {
    progress.end()
  }
}

function announce(seed: number): void {
  const emails = businesses.map(business => emailOf(business, seed)).join(', ')
  console.error(`Sign in as ${emails}, with the password ${DEMO_PASSWORD}`)
}

async function takeAway(stored: Demonstration | null, seed: number, apply: boolean): Promise<void> {
  if (!stored) throw new UsageError(`there is no demonstration ${seed}`)
  if (!apply) return console.log(tallyTable(planned(stored)))
  const all = await demonstrations.open()
  await all.updateOne({ _id: seed }, { $set: { state: 'removing' } })
  console.log(tallyTable(await remove(stored, new Date())))
  await all.deleteOne({ _id: seed })
  console.error(`Demonstration ${seed} is gone.`)
}

await runAsProgram(import.meta.url, line, run)
