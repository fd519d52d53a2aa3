import { readFile } from 'node:fs/promises'
import { addPhoneNumbers, PhoneNumberInput } from '../lib/domain/phones/phone-numbers.js'
import { UsageError } from './dev/usage-error.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { cellsOf } from './support/csv.js'
import { interruptible } from './support/interruption.js'
import { startProgress } from './support/progress.js'
import { emptyTally, tallyTable } from './support/table.js'
import { mayWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const BATCH = 500
const MAX_SHOWN_PROBLEMS = 20

const line: CommandLine = {
  name: 'npm run phone-numbers --',
  summary:
    'Adds phone numbers to the inventory: one a line, or CSV with the provider behind the number. Numbers that are there already stay as they are.',
  positionals: 'import FILE',
  flags: WRITE_FLAGS,
}

/** `import`: reads the whole file first, so that a line that is wrong changes nothing. */
export async function run(typed: Typed): Promise<void> {
  const [action, file, ...more] = typed.positionals
  if (action !== 'import' || file === undefined || more.length > 0)
    throw new UsageError('say import FILE; --help shows more')
  const numbers = readNumbers(file, await readText(file))
  await withTarget(target => importNumbers(target, typed, numbers))
}

async function importNumbers(target: Target, typed: Typed, numbers: PhoneNumberInput[]): Promise<void> {
  console.error(`${numbers.length} phone number${numbers.length === 1 ? '' : 's'}.`)
  if (!(await mayWrite(target, typed))) return
  const tally = emptyTally()
  const progress = startProgress('phone numbers')
  try {
    await interruptible('The same command goes on from here.', async signal => {
      for (let i = 0; i < numbers.length; i += BATCH) {
        signal.throwIfAborted()
        const batch = numbers.slice(i, i + BATCH)
        const added = await addPhoneNumbers(batch, new Date())
        tally.scanned += batch.length
        tally.written += added
        tally.skipped += batch.length - added
        progress.report(tally.scanned, tally.scanned / numbers.length)
      }
    })
  } finally {
    progress.end()
    console.log(tallyTable({ 'phone numbers': tally }))
  }
}

async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} cannot be read: ${error.code}`)
  })
  try {
    // Without the byte order mark that spreadsheets begin with.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new UsageError(`${file} is not text in UTF-8`)
  }
}

/** The numbers of a file, each once. A first line that begins with a letter and is no number is a table's header. */
function readNumbers(file: string, text: string): PhoneNumberInput[] {
  const numbers = new Map<string, PhoneNumberInput>()
  const problems: string[] = []
  for (const [i, written] of text.split(/\r\n|\r|\n/).entries()) {
    const cells = cellsOf(written)
    const [phoneNumber = '', provider] = cells ?? []
    const parsed = PhoneNumberInput.safeParse({ phoneNumber, ...(provider && { provider }) })
    const isHeader = i === 0 && /^\p{L}/u.test(phoneNumber) && !parsed.success
    if (cells?.every(cell => cell === '') || isHeader) continue
    const problem = cells ? parsed.error?.issues[0]?.message : 'its quotes do not match'
    if (problem !== undefined) problems.push(`line ${i + 1}: ${problem}`)
    else if (parsed.data && !numbers.has(parsed.data.phoneNumber))
      numbers.set(parsed.data.phoneNumber, parsed.data)
  }
  if (problems.length > 0)
    throw new UsageError(`${file} is not imported\n${problems.slice(0, MAX_SHOWN_PROBLEMS).join('\n')}`)
  if (numbers.size === 0) throw new UsageError(`${file} has no phone numbers`)
  return [...numbers.values()]
}

await runAsProgram(import.meta.url, line, run)
