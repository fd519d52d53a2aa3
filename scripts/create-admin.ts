import { hashPassword, NewPassword } from '../lib/auth/passwords.js'
import { administerUser } from '../lib/domain/user-administration.js'
import { createUser, Email, findUserByEmail, UserName } from '../lib/domain/users.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { parseFlag } from './support/flags.js'
import { passwordFromInput, typedPassword } from './support/password.js'
import { confirmWrite, WRITE_FLAGS, withTarget } from './support/target.js'

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
  const email = parseFlag(Email, 'email', typed.text('email'))
  const name = parseFlag(UserName.optional(), 'name', typed.text('name'))
  await withTarget(async target => {
    const existing = await findUserByEmail(email)
    console.error(existing ? `${email} has an account: it becomes an admin.` : `${email} is a new admin.`)
    const apply = !typed.has('dry-run')
    if (!(await confirmWrite(target, { apply, yes: typed.text('yes') }))) return
    if (existing) {
      await administerUser(existing._id.toHexString(), { role: 'admin' }, new Date())
    } else {
      const password = typed.has('password-stdin') ? await passwordFromInput() : await typedPassword()
      const passwordHash = await hashPassword(parseFlag(NewPassword, 'password', password))
      await createUser({ email, passwordHash, name }, new Date(), 'admin')
    }
    console.error('Done.')
  })
}

await runAsProgram(import.meta.url, line, run)
