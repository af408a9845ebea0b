"""Where logs lie: files, folders, globs, partitions, object stores."""
