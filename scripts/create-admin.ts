import { ADMIN_FLAGS, makeAdmin, readAdmin } from './support/admin.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { mayWrite, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run create-admin --',
  summary: 'Creates an account with the role admin, or gives the role to an account that exists.',
  flags: {
    email: { type: 'string', value: 'ADDRESS', help: 'the e-mail address of the admin' },
    ...ADMIN_FLAGS,
    ...WRITE_FLAGS,
  },
}

/** Makes an admin of the account with an address; of a new one, if there is none. */
export async function run(typed: Typed): Promise<void> {
  const admin = readAdmin(typed, 'email')
  await withTarget(async target => {
    // Before the first look at the database: it may be one that nobody meant.
    const apply = await mayWrite(target, typed)
    const changes = await makeAdmin(admin, typed, apply)
    if (apply && changes) console.error('Done.')
  })
}

await runAsProgram(import.meta.url, line, run)
