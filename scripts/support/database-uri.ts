/**
 * The connection string of another database on the same deployment. Credentials keep being checked where they
 * were: the driver would look them up in the new database.
 *
 * @param name as it stands in a URI.
 * @throws {Error} without any part of the URI when it is not a connection string.
 */
export function withDatabaseName(uri: string, name: string): string {
  const { server, database, query } = partsOf(uri)
  const options = new URLSearchParams(query)
  const namesAuthSource = [...options.keys()].some(option => option.toLowerCase() === 'authsource')
  if (server.includes('@') && !namesAuthSource)
    options.set('authSource', decodeURIComponent(database || 'admin'))
  return `${server}/${name}${options.size > 0 ? `?${options}` : ''}`
}

/**
 * Whether a connection string names a database.
 *
 * @throws {Error} without any part of the URI when it is not a connection string.
 */
export function namesDatabase(uri: string): boolean {
  return partsOf(uri).database !== ''
}

function partsOf(uri: string): { server: string; database: string; query: string } {
  const [, server, database = '', query = ''] =
    /^([^/]+:\/\/[^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(uri) ?? []
  if (server === undefined) throw new Error('The URI of the database is not a connection string')
  return { server, database, query }
}
