import { AdminInput, administerUser, createAdmin } from '../lib/domain/user-administration.js'
import { findUserByEmail, statusOf, type User } from '../lib/domain/users.js'
import { UsageError } from './dev/usage-error.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { parseFlag } from './support/flags.js'
import { passwordFromInput, typedPassword } from './support/password.js'
import { announceDryRun, confirmWrite, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run create-admin --',
  summary: 'Creates an account with the role admin, or gives the role to an account that exists.',
  flags: {
    email: { type: 'string', value: 'ADDRESS', help: 'the e-mail address of the admin' },
    name: { type: 'string', value: 'NAME', help: 'the name of a new admin' },
    'password-stdin': { type: 'boolean', help: 'read the password of a new admin from standard input' },
    'dry-run': { type: 'boolean', help: 'say what would be done and write nothing' },
    yes: WRITE_FLAGS.yes,
  },
}

/** Makes an admin of the account with an address; of a new one, if there is none. */
export async function run(typed: Typed): Promise<void> {
  const email = parseFlag(AdminInput.shape.email, 'email', typed.text('email'))
  const name = parseFlag(AdminInput.shape.name, 'name', typed.text('name'))
  await withTarget(async target => {
    const dryRun = typed.has('dry-run')
    // Before the first look at the database: it may be one that nobody meant.
    if (dryRun) announceDryRun(target, 'It writes without --dry-run.')
    else await confirmWrite(target, typed.text('yes'))
    const existing = await findUserByEmail(email)
    console.error(describe(email, existing))
    if (dryRun) return
    if (existing) {
      await administerUser(existing._id.toHexString(), { role: 'admin' }, new Date())
    } else {
      const password = typed.has('password-stdin') ? await passwordFromInput() : await typedPassword()
      const accepted = AdminInput.shape.password.safeParse(password)
      if (!accepted.success) throw new UsageError(`the password ${accepted.error.issues[0]?.message}`)
      await createAdmin({ email, password: accepted.data, name }, new Date())
    }
    console.error('Done.')
  })
}

function describe(email: string, existing: User | null): string {
  if (!existing) return `${email} is a new admin.`
  const status = statusOf(existing) === 'active' ? '' : `, and stays ${statusOf(existing)}`
  return `${email} has an account: it becomes an admin${status}. Its password stays as it is.`
}

await runAsProgram(import.meta.url, line, run)
