import { z } from 'zod'
import {
  ApiKeyInput,
  createApiKey,
  revokeApiKey,
  Scope,
  streamApiKeys,
} from '../lib/domain/accounts/api-keys.js'
import { readId } from '../lib/domain/ids.js'
import { UsageError } from './dev/usage-error.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { listOf, parseFlag } from './support/flags.js'
import { mayWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run api-key --',
  summary:
    'Makes, lists and revokes API keys of the deployment. A new key alone is printed on standard output.',
  positionals: 'create | list | revoke ID',
  flags: {
    scopes: { type: 'string', value: 'LIST', help: `what the key may do: ${Scope.options.join(', ')}` },
    name: { type: 'string', value: 'NAME', help: 'what the key is for' },
    users: { type: 'string', value: 'IDS', help: 'only these users' },
    microsites: { type: 'string', value: 'LIST', help: 'only these microsites' },
    expires: { type: 'string', value: 'TIME', help: 'when it ends, ISO 8601 with a time zone' },
    ...WRITE_FLAGS,
  },
}

const USAGE = 'say create, list or revoke ID; --help shows more'

/** `create`, `list` or `revoke`. */
export async function run(typed: Typed): Promise<void> {
  const [action, id, ...more] = typed.positionals
  if (more.length > 0 || (id !== undefined && action !== 'revoke')) throw new UsageError(USAGE)
  switch (action) {
    case 'create': {
      const input = readInput(typed)
      return withTarget(target => create(target, typed, input))
    }
    case 'list':
      return withTarget(list)
    case 'revoke': {
      if (id === undefined || !readId(id)) throw new UsageError('say revoke ID, with an id that list shows')
      return withTarget(target => revoke(target, typed, id))
    }
    default:
      throw new UsageError(USAGE)
  }
}

function readInput(typed: Typed): ApiKeyInput {
  return ApiKeyInput.parse({
    scopes: parseFlag(z.array(Scope).min(1), 'scopes', listOf(typed.text('scopes'))),
    name: parseFlag(ApiKeyInput.shape.name, 'name', typed.text('name')),
    userIds: parseFlag(ApiKeyInput.shape.userIds, 'users', listOf(typed.text('users'))),
    microsites: parseFlag(ApiKeyInput.shape.microsites, 'microsites', listOf(typed.text('microsites'))),
    expiresAt: parseFlag(ApiKeyInput.shape.expiresAt, 'expires', typed.text('expires')),
  })
}

async function create(target: Target, typed: Typed, input: ApiKeyInput): Promise<void> {
  console.error(`A key for ${input.scopes.join(', ')}.`)
  if (!(await mayWrite(target, typed))) return
  const { key, apiKey } = await createApiKey(input, undefined, new Date())
  console.error(`Made ${apiKey.prefix}… (${apiKey.id}). It is shown this once:`)
  console.log(key)
}

async function list(target: Target): Promise<void> {
  console.error(`API keys in ${target.description}:`)
  for await (const key of streamApiKeys(undefined)) {
    const state = key.revokedAt
      ? 'revoked'
      : key.expiresAt && key.expiresAt <= new Date()
        ? 'expired'
        : 'in force'
    const lastUse = key.lastUsedAt ? `last used ${key.lastUsedAt.toISOString()}` : 'never used'
    // A user's key has the name that its user gave it: no second line, and nothing that a terminal obeys.
    const name = (key.name ?? '').replace(/\p{Cc}/gu, ' ')
    console.log([key.id, `${key.prefix}…`, state, key.scopes.join(','), lastUse, name].join('\t'))
  }
}

async function revoke(target: Target, typed: Typed, id: string): Promise<void> {
  console.error(`The key ${id} is revoked, for good.`)
  if (!(await mayWrite(target, typed))) return
  const { prefix } = await revokeApiKey(id, undefined, new Date())
  console.error(`Revoked ${prefix}….`)
}

await runAsProgram(import.meta.url, line, run)
