import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { addPhoneNumbers, PhoneNumberInput } from '../lib/domain/phone-numbers.js'
import { UsageError } from './dev/usage-error.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { confirmWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const BATCH = 500

const line: CommandLine = {
  name: 'npm run phone-numbers --',
  summary:
    'Adds phone numbers to the inventory: one a line, or CSV with the provider behind the number. Numbers that are there already stay as they are.',
  positionals: 'import FILE',
  flags: WRITE_FLAGS,
}

/** `import`: reads the whole file first, so that a line that is wrong changes nothing. */
export async function run(typed: Typed): Promise<void> {
  const [action, file] = typed.positionals
  if (action !== 'import' || file === undefined) throw new UsageError('say import FILE; --help shows more')
  const numbers = await readNumbers(file)
  await withTarget(target => importNumbers(target, typed, numbers))
}

async function importNumbers(target: Target, typed: Typed, numbers: PhoneNumberInput[]): Promise<void> {
  console.error(`${numbers.length} phone numbers.`)
  if (!(await confirmWrite(target, { apply: typed.has('apply'), yes: typed.text('yes') }))) return
  let added = 0
  for (let i = 0; i < numbers.length; i += BATCH)
    added += await addPhoneNumbers(numbers.slice(i, i + BATCH), new Date())
  console.error(`${added} added, ${numbers.length - added} were there already.`)
}

async function readNumbers(file: string): Promise<PhoneNumberInput[]> {
  const numbers: PhoneNumberInput[] = []
  const problems: string[] = []
  let lineNumber = 0
  for await (const text of createInterface({ input: createReadStream(file, 'utf8') })) {
    lineNumber += 1
    const [phoneNumber = '', provider] = text.split(',').map(cell => cell.trim().replace(/^"(.*)"$/, '$1'))
    if (phoneNumber === '' || (lineNumber === 1 && !/\d/.test(phoneNumber))) continue
    const parsed = PhoneNumberInput.safeParse({ phoneNumber, ...(provider && { provider }) })
    if (parsed.success) numbers.push(parsed.data)
    else problems.push(`line ${lineNumber}: ${parsed.error.issues.map(issue => issue.message).join('; ')}`)
  }
  if (problems.length > 0) throw new UsageError(`${file}\n${problems.slice(0, 20).join('\n')}`)
  return numbers
}

await runAsProgram(import.meta.url, line, run)
