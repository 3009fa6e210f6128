namespace Elastic.Foundation.Tests;

public class DiskSpaceTests
{
    [Fact]
    public void The_room_of_a_disk_is_that_of_the_folder_and_a_folder_that_is_not_there_has_none()
    {
        var folder = Path.GetTempPath();
        Assert.InRange(DiskSpace.FreeBytes(folder), 1, new DriveInfo(folder).TotalSize);
        Assert.ThrowsAny<IOException>(() => DiskSpace.FreeBytes(Path.Combine(folder, "elastic-is-not-there")));
    }
}
